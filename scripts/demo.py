"""Seven jobs on three platforms, two workers, real servers: ``./run demo``. Ends all it started."""

import argparse
import json
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
from sqlalchemy.exc import DBAPIError

from db.migrating import migrate
from db.session import connect
from platforms.simulator.people import creator
from platforms.simulator.running import running_simulator
from scripts.demo_screen import LOOK_SECONDS, report, watch
from scripts.servers import servers_for
from scripts.supervisor import Child, Supervisor
from scripts.tables import console
from worker.boot import check_database
from worker.errors import ConfigurationError
from worker.redaction import redact
from worker.settings import load_settings

SEED = 1
TARGET = f"@{creator(SEED, 31_415_926_535_897_947).handle}"
"""Whom the similar searches start from: one made-up person who is on all three platforms."""
RESULTS = 60
LATENCY_MS = 120
LONGEST_SECONDS = 120
WIDTH = 100


@dataclass(frozen=True, slots=True)
class Wanted:
    """What one row of the demo asks for: words, or a target."""

    platform: str
    keywords: tuple[str, ...] = ()
    target: str | None = None


JOBS = (
    Wanted("Tiktok", ("desk lamp", "latte art")),
    Wanted("TikTok", ("#sourdough",)),
    Wanted("TikTok", target=TARGET),
    Wanted("Instagram", ("trail running",)),
    Wanted("Instagram", target=TARGET),
    Wanted("YouTube", ("film cameras",)),
    Wanted("YouTube", target=TARGET),
)
"""Platforms are written as rows have them, in any casing."""


def main() -> int:
    """Run the demo; 0 only when every job completed and its counter equals what is stored."""
    argparse.ArgumentParser(prog="./run demo", description=__doc__).parse_args()
    started = time.monotonic()
    console.width = min(console.width, WIDTH)
    try:
        with _everything() as connection:
            jobs = _insert_jobs(connection)
            states = watch(connection, jobs, LONGEST_SECONDS)
            report(connection, states)
    except (ConfigurationError, DBAPIError, psycopg.Error, TimeoutError) as error:
        print(f"demo: {redact(str(error)).strip()}", file=sys.stderr)
        return 1
    good = all(state.status == "completed" and state.creators == state.stored for state in states)
    verdict = "every counter equals what is stored" if good else "a job did not complete, or its counter is wrong"
    console.print(f"\n{verdict}; {time.monotonic() - started:.1f} s in all", style="green" if good else "red")
    return 0 if good else 1


@contextmanager
def _everything() -> Iterator[psycopg.Connection]:
    """Servers, simulator, schema, reconciler and two workers; gives a connection as another service has it."""
    settings = load_settings()
    home: Path = settings.home / "demo"
    with ExitStack() as stack:
        console.print("starting Postgres, Valkey and a provider that makes creators up ...", style="dim")
        servers = stack.enter_context(servers_for(settings, home))
        simulator = stack.enter_context(running_simulator("--seed", str(SEED), "--latency-ms", str(LATENCY_MS)))
        check_database(servers.database_url)
        migrate(servers.database_url)
        environment = {
            "DATABASE_URL": servers.database_url,
            "REDIS_URL": servers.redis_url,
            "SCRAPECREATORS_BASE_URL": simulator.url,
            "SCRAPECREATORS_API_KEY": "demo",
            # The demo asks nobody but its own provider, whatever keys are set.
            **dict.fromkeys(("APIFY_TOKEN", "YOUTUBE_API_KEY", "TIKTOK_CLIENT_KEY", "INSTAGRAM_GRAPH_TOKEN"), ""),
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
    for number, job in enumerate(JOBS, 1):
        row = connection.execute(
            """
            INSERT INTO scraping_jobs (user_id, platform, keywords, target_username, target_results, created_at)
            VALUES (%s, %s, %s, %s, %s, now() AT TIME ZONE 'UTC') RETURNING id::text
            """,
            (f"demo_user_{number}", job.platform, _json(job.keywords), job.target, RESULTS),
        ).fetchone()
        assert row is not None  # noqa: S101 - the insert gives its row
        ids.append(row[0])
    console.print(f"inserted {len(ids)} rows into scraping_jobs; two workers take them\n", style="dim")
    return ids


def _json(keywords: tuple[str, ...]) -> str | None:
    return json.dumps(keywords) if keywords else None


if __name__ == "__main__":
    sys.exit(main())
