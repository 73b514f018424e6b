"""Three jobs, two workers, real servers: ``./run demo``. Ends all it started."""

import argparse
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
from psycopg.rows import class_row
from rich.progress import BarColumn, Progress, TaskID, TextColumn
from sqlalchemy.exc import DBAPIError

from db.migrating import migrate
from db.session import connect
from platforms.simulator.running import running_simulator
from scripts.servers import servers_for
from scripts.supervisor import Child, Supervisor
from scripts.tables import console, show_table
from worker.boot import check_database
from worker.errors import ConfigurationError
from worker.logging import redact
from worker.settings import ROOT, load_settings

JOBS = (("Tiktok", '["desk lamp"]'), ("TikTok", '["trail running"]'), ("TikTok", '["sourdough", "latte art"]'))
TARGET = 100
FIXTURES = ROOT / "platforms" / "simulator" / "fixtures"
LATENCY_MS = 120
LONGEST_SECONDS = 120
LOOK_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class JobState:
    """What the application would see of one job, and what is really stored."""

    id: str
    words: str
    status: str
    progress: float
    pages: int
    creators: int
    stored: int
    duplicates: int
    first_batch: timedelta | None
    error: str | None


def main() -> int:
    """Run the demo; 0 only when every job completed and its counter equals what is stored."""
    argparse.ArgumentParser(prog="./run demo", description=__doc__).parse_args()
    started = time.monotonic()
    try:
        with _everything() as connection:
            jobs = _insert_jobs(connection)
            states = _watch(connection, jobs)
            _report(connection, states)
    except (ConfigurationError, DBAPIError, psycopg.Error, TimeoutError) as error:
        print(f"demo: {redact(str(error)).strip()}", file=sys.stderr)
        return 1
    good = all(state.status == "completed" and state.creators == state.stored for state in states)
    verdict = "every counter equals what is stored" if good else "a job did not complete, or its counter is wrong"
    console.print(f"{verdict}; {time.monotonic() - started:.1f} s in all", style="green" if good else "red")
    return 0 if good else 1


@contextmanager
def _everything() -> Iterator[psycopg.Connection]:
    """Servers, simulator, schema, reconciler and two workers; gives a connection as another service has it."""
    settings = load_settings()
    home: Path = settings.home / "demo"
    with ExitStack() as stack:
        console.print("starting Postgres, Valkey and a provider that replays recorded answers ...", style="dim")
        servers = stack.enter_context(servers_for(settings, home))
        simulator = stack.enter_context(running_simulator("--replay", str(FIXTURES), "--latency-ms", str(LATENCY_MS)))
        check_database(servers.database_url)
        migrate(servers.database_url)
        environment = {
            "DATABASE_URL": servers.database_url,
            "REDIS_URL": servers.redis_url,
            "SCRAPECREATORS_BASE_URL": simulator.url,
            "SCRAPECREATORS_API_KEY": "demo",
            "TRAWLER_LOG_LEVEL": "error",
        }
        children = [Child("reconciler", "scripts.reconciler"), Child("worker 1", "actors"), Child("worker 2", "actors")]
        stack.enter_context(Supervisor(children, environment))
        connection = stack.enter_context(connect(servers.database_url, "demo"))
        _wait_for(connection, len(children))
        yield connection


def _wait_for(connection: psycopg.Connection, processes: int) -> None:
    """Wait until every process has said that it lives, so that what follows measures jobs and not imports."""
    deadline = time.monotonic() + LONGEST_SECONDS
    while time.monotonic() < deadline:
        row = connection.execute(
            "SELECT count(*) FROM worker.workers WHERE started_at > pg_postmaster_start_time()"
        ).fetchone()
        if row and row[0] >= processes:
            return
        time.sleep(LOOK_SECONDS)
    raise TimeoutError(f"the workers did not start within {LONGEST_SECONDS} s")


def _insert_jobs(connection: psycopg.Connection) -> list[str]:
    """Put the jobs in as any other service does: by INSERT."""
    ids = []
    for number, (platform, keywords) in enumerate(JOBS, 1):
        row = connection.execute(
            """
            INSERT INTO scraping_jobs (user_id, platform, keywords, target_results, created_at)
            VALUES (%s, %s, %s, %s, now() AT TIME ZONE 'UTC') RETURNING id::text
            """,
            (f"demo_user_{number}", platform, keywords, TARGET),
        ).fetchone()
        assert row is not None  # noqa: S101 - the insert gives its row
        ids.append(row[0])
    console.print(f"inserted {len(ids)} rows into scraping_jobs; two workers take them", style="dim")
    return ids


def _look(connection: psycopg.Connection, jobs: list[str]) -> list[JobState]:
    with connection.cursor(row_factory=class_row(JobState)) as cursor:
        return cursor.execute(
            """
            SELECT j.id::text, array_to_string(ARRAY(SELECT jsonb_array_elements_text(j.keywords)), ', ') AS words,
                   j.status, j.progress::float AS progress, j.processed_runs AS pages,
                   j.processed_results AS creators, coalesce(r.stored, 0)::integer AS stored,
                   coalesce((SELECT sum(p.duplicates) FROM worker.pages p JOIN worker.tasks t ON t.id = p.task_id
                              WHERE t.job_table = 'scraping_jobs' AND t.job_id = j.id::text), 0)::integer AS duplicates,
                   r.first_at - j.created_at AS first_batch, j.error
              FROM scraping_jobs j
              LEFT JOIN LATERAL (
                   SELECT sum(jsonb_array_length(s.creators)) AS stored, min(s.created_at) AS first_at
                     FROM scraping_results s WHERE s.job_id = j.id) r ON true
             WHERE j.id = ANY (%s::uuid[])
             ORDER BY j.created_at, j.user_id
            """,
            (jobs,),
        ).fetchall()


def _watch(connection: psycopg.Connection, jobs: list[str]) -> list[JobState]:
    """Show progress until every job is final. Raises `TimeoutError` when that takes too long."""
    deadline = time.monotonic() + LONGEST_SECONDS
    told: dict[str, tuple[str, float]] = {}
    with Progress(
        TextColumn("{task.description:<24}"),
        BarColumn(40),
        TextColumn("{task.percentage:>3.0f} %  {task.fields[found]} creators  {task.fields[status]}"),
        console=console,
        disable=not console.is_terminal,
    ) as progress:
        bars: dict[str, TaskID] = {}
        while True:
            states = _look(connection, jobs)
            for state in states:
                shown: dict[str, Any] = {
                    "completed": state.progress,
                    "found": f"{state.creators:>3}",
                    "status": state.status,
                }
                if state.id not in bars:
                    bars[state.id] = progress.add_task(state.words, total=100, **shown)
                progress.update(bars[state.id], **shown)
                if not console.is_terminal and told.get(state.id) != (state.status, state.progress):
                    console.print(f"{state.words}: {state.status}, {state.progress:g} %, {state.creators} creators")
                    told[state.id] = (state.status, state.progress)
            if all(state.status in ("completed", "error", "timeout") for state in states):
                return states
            if time.monotonic() > deadline:
                raise TimeoutError(f"the jobs did not end within {LONGEST_SECONDS} s")
            time.sleep(LOOK_SECONDS)


def _report(connection: psycopg.Connection, states: list[JobState]) -> None:
    rows: list[dict[str, Any]] = [
        {
            "keywords": state.words,
            "status": state.status,
            "pages": state.pages,
            "creators": state.creators,
            "duplicates": state.duplicates,
            "first_batch": f"{state.first_batch.total_seconds():.2f} s" if state.first_batch else "none",
        }
        for state in states
    ]
    show_table("Jobs", rows, ["keywords", "status", "pages", "creators", "duplicates", "first_batch"])
    for state in states:
        if state.error:
            console.print(f"{state.words}: {state.error}", style="red")
    creator = connection.execute(
        "SELECT creators -> 0 FROM scraping_results WHERE job_id = %s::uuid ORDER BY created_at LIMIT 1",
        (states[0].id,),
    ).fetchone()
    if creator:
        console.print("\nOne stored creator:")
        console.print_json(data=creator[0])


if __name__ == "__main__":
    sys.exit(main())
