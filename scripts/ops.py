"""Look at jobs and mend them: ``./run ops COMMAND --help``."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Annotated, Any
from uuid import UUID

import psycopg
import redis
import typer

from db.queries import inspecting, operating
from db.session import connect
from scripts.tables import console, show_json, show_table
from worker.boot import check_schema, find_servers
from worker.broker import WakeUps, make_redis
from worker.enqueueing import enqueue_scraping_job, wake
from worker.errors import ConfigurationError
from worker.logging import redact
from worker.settings import load_settings

app = typer.Typer(help="Look at jobs and mend them.", no_args_is_help=True, add_completion=False, rich_markup_mode=None)
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
NOT_FOUND = 1
USAGE = 2


@contextmanager
def _database() -> Iterator[psycopg.Connection]:
    """A connection to the database, with every problem told in a line and exit code 2."""
    try:
        database_url, _ = find_servers(load_settings())
        check_schema(database_url)
        with connect(database_url, "trawler ops") as connection:
            yield connection
    except (ConfigurationError, psycopg.Error) as error:
        print(f"ops: {redact(str(error)).strip()}", file=sys.stderr)
        raise typer.Exit(USAGE) from None


def _job_ids(values: list[str]) -> list[str]:
    try:
        return [str(UUID(value)) for value in values]
    except ValueError:
        wrong = [value for value in values if not _is_uuid(value)]
        print(f"ops: {', '.join(wrong)}: not a job id; expected a UUID as `./run ops list` shows it", file=sys.stderr)
        raise typer.Exit(USAGE) from None


def _is_uuid(value: str) -> bool:
    try:
        UUID(value)
    except ValueError:
        return False
    return True


@app.command()
def enqueue(
    keywords: Annotated[list[str], typer.Argument(help="Words to search for, each a walk of its own.")],
    user: Annotated[str, typer.Option(help="user_id of the row: the tenant.")],
    platform: Annotated[str, typer.Option(help="TikTok.")] = "TikTok",
    target: Annotated[int, typer.Option(help="Creators wanted.")] = 100,
    region: Annotated[str, typer.Option(help="Country code of the search.")] = "US",
    key: Annotated[str | None, typer.Option(help="Idempotency key: a second call gives the first job.")] = None,
    as_json: AsJson = False,
) -> None:
    """Put a keyword search in. Example: ./run ops enqueue "desk lamp" --user user_1 --target 50."""
    with _database() as connection:
        enqueued = enqueue_scraping_job(
            connection,
            user_id=user,
            platform=platform,
            keywords=keywords,
            target_results=target,
            region=region,
            idempotency_key=key,
        )
    try:
        wake(WakeUps(make_redis(find_servers(load_settings())[1], connections=1)), enqueued)
    except redis.RedisError as error:
        print(f"ops: no wake-up sent ({redact(str(error))}); the reconciler will see to the job", file=sys.stderr)
    if as_json:
        show_json({"job_id": enqueued.job_id, "created": enqueued.created})
    else:
        console.print(enqueued.job_id if enqueued.created else f"{enqueued.job_id} (the key was used before)")


@app.command("list")
def list_(
    status: Annotated[str | None, typer.Option(help="pending, processing, completed, error, timeout.")] = None,
    platform: Annotated[str | None, typer.Option(help="In any casing.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000)] = 20,
    as_json: AsJson = False,
) -> None:
    """Show the newest jobs. Example: ./run ops list --status error --limit 50."""
    with _database() as connection:
        jobs = [asdict(job) for job in inspecting.list_jobs(connection, status, platform, limit)]
    if as_json:
        show_json(jobs)
        return
    for job in jobs:
        job["found"] = f"{job['results']}/{job['target']}"
        job["why"] = job["error"] or job["reason"]
    show_table("Jobs", jobs, ["id", "platform", "status", "found", "why"])


@app.command()
def show(job: Annotated[str, typer.Argument(help="The job's id.")], as_json: AsJson = False) -> None:
    """Show one job: its row, its task, every page and attempt. Example: ./run ops show 3f0c... --json."""
    (job_id,) = _job_ids([job])
    with _database() as connection:
        row = inspecting.job_row(connection, job_id)
        if row is None:
            print(f"ops: there is no job {job_id}", file=sys.stderr)
            raise typer.Exit(NOT_FOUND)
        task = row.pop("task")
        pages = inspecting.pages_of(connection, task["id"]) if task else []
        attempts = inspecting.attempts_of(connection, task["id"]) if task else []
    if as_json:
        show_json({"job": row, "task": task, "pages": pages, "attempts": attempts})
        return
    _show_fields("Job", row)
    if task:
        _show_fields("Task", task)
    else:
        console.print("Task: none yet (no reconciler has seen the row)\n")
    show_table(
        "Pages", pages, ["seq", "epoch", "word", "cursor", "items", "stored", "duplicates", "unreadable", "credits"]
    )
    show_table("Attempts", attempts, ["epoch", "outcome", "reason", "detail", "started_at", "ended_at"])


@app.command()
def retry(jobs: Annotated[list[str], typer.Argument(help="Ids of jobs.")], as_json: AsJson = False) -> None:
    """Let failed jobs go on where they stopped; results are kept. Example: ./run ops retry 3f0c... 77ab...."""
    job_ids = _job_ids(jobs)
    with _database() as connection:
        retried = operating.retry_jobs(connection, job_ids)
        skipped = {job_id: _why_skipped(connection, job_id) for job_id in job_ids if job_id not in retried}
    if as_json:
        show_json({"retried": sorted(retried), "skipped": skipped})
    else:
        for job_id in job_ids:
            console.print(f"{job_id}  {'skipped: ' + skipped[job_id] if job_id in skipped else 'pending again'}")
    if not retried:
        raise typer.Exit(NOT_FOUND)


@app.command()
def status(as_json: AsJson = False) -> None:
    """Show lanes, processes and how many jobs stand where. Example: ./run ops status."""
    with _database() as connection:
        jobs = inspecting.job_counts(connection)
        lanes = inspecting.lanes(connection)
        processes = inspecting.workers(connection)
    if as_json:
        show_json({"jobs": jobs, "lanes": lanes, "processes": processes})
        return
    console.print("Jobs: " + (", ".join(f"{count} {name}" for name, count in jobs.items()) or "none"))
    show_table(
        "Lanes", lanes, ["lane", "running", "max_running", "ready", "waiting", "parked", "paused", "cooldown_reason"]
    )
    show_table("Processes", processes, ["kind", "id", "host", "pid", "slots", "in_use", "silent_seconds"])


def _why_skipped(connection: psycopg.Connection, job_id: str) -> str:
    row = inspecting.job_row(connection, job_id)
    if row is None:
        return "there is no such job"
    if row["status"] == "completed":
        return "it is completed; only jobs that ended as error or timeout are retried"
    return f"it is {row['status']}; only jobs that ended as error or timeout are retried"


def _show_fields(title: str, fields: dict[str, Any]) -> None:
    rows = [{"field": name, "value": value} for name, value in fields.items() if value is not None]
    show_table(title, rows, ["field", "value"])


if __name__ == "__main__":
    app(prog_name="./run ops")
