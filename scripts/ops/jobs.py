"""Commands for jobs: list, show, retry."""

from dataclasses import asdict
from enum import StrEnum
from typing import Annotated, Any

import psycopg
import typer

from db.queries import background_jobs, explaining, inspecting, operating, search_jobs
from scripts.ops.frame import NOT_FOUND, USAGE, AsJson, database, fail, job_ids
from scripts.tables import console, show_json, show_table


class JobTable(StrEnum):
    """The application's tables of jobs."""

    SCRAPING = "scraping_jobs"
    BACKGROUND = "background_jobs"
    SEARCHES = "search_jobs"


COLUMNS = {
    JobTable.SCRAPING: ["platform", "status", "found"],
    JobTable.BACKGROUND: ["job_type", "status", "retries"],
    JobTable.SEARCHES: ["platform", "status", "found"],
}


def list_(
    table: Annotated[JobTable, typer.Option(help="Which jobs.")] = JobTable.SCRAPING,
    status: Annotated[
        str | None,
        typer.Option(help="pending, processing, completed, error, timeout; failed, or queued, as the table says."),
    ] = None,
    platform: Annotated[str | None, typer.Option(help="In any casing; not of background jobs.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000)] = 20,
    as_json: AsJson = False,
) -> None:
    """Show the newest jobs. Example: ./run ops list --status error --limit 50."""
    if table is JobTable.BACKGROUND and platform is not None:
        fail("--platform: background jobs have none; leave it out", USAGE)
    with database() as connection:
        if table is JobTable.BACKGROUND:
            jobs = [asdict(job) for job in background_jobs.list_jobs(connection, status, limit)]
        elif table is JobTable.SEARCHES:
            jobs = [asdict(job) for job in search_jobs.list_jobs(connection, status, platform, limit)]
        else:
            jobs = [asdict(job) for job in inspecting.list_jobs(connection, status, platform, limit)]
    if as_json:
        show_json(jobs)
        return
    for job in jobs:
        job["why"] = job["error"] or job["reason"]
        if "found" in COLUMNS[table]:
            job["found"] = f"{job['results']}/{job['target']}"
    show_table("Jobs", jobs, ["id", *COLUMNS[table], "why"])


def show(job: Annotated[str, typer.Argument(help="The job's id.")], as_json: AsJson = False) -> None:
    """Show one job of any table: its row, its task, every page and attempt. Example: ./run ops show 3f0c... ."""
    (job_id,) = job_ids([job])
    with database() as connection:
        row = (
            inspecting.job_row(connection, job_id)
            or background_jobs.job_row(connection, job_id)
            or search_jobs.job_row(connection, job_id)
        )
        if row is None:
            fail(f"there is no job {job_id}", NOT_FOUND)
        task = row.pop("task")
        pages = inspecting.pages_of(connection, task["id"]) if task else []
        attempts = inspecting.attempts_of(connection, task["id"]) if task else []
        spends = explaining.spend_of(connection, job_id)
    if as_json:
        show_json({"job": row, "task": task, "pages": pages, "attempts": attempts, "spend": spends})
        return
    _show_fields("Job", row)
    if task:
        _show_fields("Task", task)
    else:
        console.print("Task: none yet (no reconciler has seen the row)\n")
    show_table(
        "Pages",
        pages,
        ["seq", "provider", "word", "items", "stored", "duplicates", "filtered", "unreadable", "credits"],
    )
    if spends:
        show_table("Spend", spends, ["provider", "calls", "credits"])
    show_table("Attempts", attempts, ["epoch", "outcome", "reason", "detail", "started_at", "ended_at"])


def retry(jobs: Annotated[list[str], typer.Argument(help="Ids of jobs.")], as_json: AsJson = False) -> None:
    """Let failed jobs of any table go on; results are kept. Example: ./run ops retry 3f0c... 77ab... ."""
    ids = job_ids(jobs)
    with database() as connection:
        retried = operating.retry_jobs(connection, ids)
        skipped = {job_id: _why_skipped(connection, job_id) for job_id in ids if job_id not in retried}
    if as_json:
        show_json({"retried": sorted(retried), "skipped": skipped})
    else:
        for job_id in ids:
            console.print(
                f"{job_id}  {'skipped: ' + skipped[job_id] if job_id in skipped else 'pending again'}",
                markup=False,
                soft_wrap=True,
            )
    if not retried:
        raise typer.Exit(NOT_FOUND)


def _why_skipped(connection: psycopg.Connection, job_id: str) -> str:
    row = inspecting.job_row(connection, job_id)
    retried = "only jobs that ended as error or timeout are retried"
    if row is None:
        row = background_jobs.job_row(connection, job_id)
        retried = "only background jobs that failed are retried"
    if row is None:
        row = search_jobs.job_row(connection, job_id)
        retried = "only searches that ended as error or timeout are retried"
    return f"it is {row['status']}; {retried}" if row else "there is no such job"


def _show_fields(title: str, fields: dict[str, Any]) -> None:
    rows = [{"field": name, "value": value} for name, value in fields.items() if value is not None]
    show_table(title, rows, ["field", "value"])
