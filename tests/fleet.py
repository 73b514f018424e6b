"""A whole deployment on loopback: reconciler, workers, provider; each a real process."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit
from uuid import uuid4

import psutil
import redis

from db.session import connect, driver_url
from platforms.simulator.running import RunningSimulator
from tests.pooler import pooled
from tests.processes import ForkedProcess, Program, run_to_its_end
from worker.limits.overview import let_go

ROOT = Path(__file__).parents[1]
LONGEST_SECONDS = 60.0
LOOK_SECONDS = 0.02
T = TypeVar("T")

OURS = (
    *("TRAWLER_", "SCRAPECREATORS_", "YOUTUBE_", "INSTAGRAM_GRAPH_", "TIKTOK_", "APIFY_"),
    *("MAIL_", "SMTP_", "RESEND_", "APP_URL", "AWS_"),
    *("METRICS_", "SENTRY_", "OTEL_", "CONSOLE_", "API_TOKENS"),
)
"""What the names of our settings begin with. A test sets its own, whatever the shell it is started from holds."""

FAST = {
    # Timers of a test, in the proportions of real ones.
    "TRAWLER_LEASE_SECONDS": "4",
    "TRAWLER_BEAT_SECONDS": "1",
    "TRAWLER_RECONCILE_SECONDS": "0.05",
    "TRAWLER_SWEEP_SECONDS": "2",
    "TRAWLER_RETRY_BASE_SECONDS": "0.2",
    "TRAWLER_RETRY_CAP_SECONDS": "1",
    "TRAWLER_RECHECK_SECONDS": "0.2",
    "TRAWLER_SLOTS": "16",
    # What the clock puts in would come between a test's own jobs.
    "TRAWLER_SCHEDULES": "false",
}


def eventually(look: Callable[[], T], seconds: float = LONGEST_SECONDS) -> T:
    """What `look` gives once it is true, looked at again and again; fails when that takes too long."""
    deadline = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < deadline, f"did not come true within {seconds} s"
        time.sleep(LOOK_SECONDS)
    return found


class Fleet:
    """Starts processes against one database, Redis and provider, and ends all of them when left.

    ``settings`` add to the environment: `every_provider` configures the providers beside ScrapeCreators.
    """

    def __init__(self, database_url: str, redis_url: str, provider_url: str, logs: Path, **settings: str) -> None:
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(OURS)},
            **FAST,
            "DATABASE_URL": database_url,
            "REDIS_URL": redis_url,
            "SCRAPECREATORS_BASE_URL": provider_url,
            "SCRAPECREATORS_API_KEY": "test-key",
            "TRAWLER_HOME": str(logs / "home"),
            "TRAWLER_ENV_FILE": "",
            "PYTHONPATH": str(ROOT),
            **settings,
        }
        self.logs = logs
        self.processes: list[ForkedProcess | Program] = []

    def __enter__(self) -> "Fleet":
        return self

    def __exit__(self, *_: object) -> None:
        for process in self.processes:
            self.kill(process)

    def worker(self, *arguments: str, **settings: str) -> ForkedProcess | Program:
        """Start a worker process."""
        return self.start("actors", *arguments, **settings)

    def reconciler(self, **settings: str) -> ForkedProcess | Program:
        """Start a reconciler process."""
        return self.start("scripts.reconciler", **settings)

    def kill(self, process: ForkedProcess | Program) -> None:
        """End it with -9, as a lost machine would."""
        if process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGCONT)
            process.kill()
        process.wait(10)

    def log(self) -> str:
        """All that the processes wrote."""
        return "".join(path.read_text(errors="replace") for path in sorted(self.logs.glob("*.log")))

    def ops(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run the ops command to its end."""
        return run_to_its_end("scripts.ops", arguments, self.environment, self.logs)

    def start(self, module: str, *arguments: str, **settings: str) -> ForkedProcess | Program:
        """Start any module as a process of this fleet; its log is named after it.

        ``PYTHONPATH`` names the tree of another release: that one is started as a program, with nothing imported yet.
        """
        path = self.logs / f"{len(self.processes):02}-{module}.log"
        start = Program if settings.get("PYTHONPATH", str(ROOT)) != str(ROOT) else ForkedProcess
        process = start(module, arguments, {**self.environment, **settings}, self.logs, path)
        self.processes.append(process)
        return process


@contextlib.contextmanager
def fleet_of(
    database_url: str, redis_url: str, simulator: RunningSimulator, logs: Path, workers: int = 1, **settings: str
) -> Iterator[Fleet]:
    """A fleet with one reconciler and some workers."""
    with Fleet(database_url, redis_url, simulator.url, logs, **settings) as fleet:
        fleet.reconciler()
        for _ in range(workers):
            fleet.worker()
        yield fleet


@contextlib.contextmanager
def fresh_database(server_url: str, template: str) -> Iterator[str]:
    """URL of a migrated database for a whole module: a copy of ``template``, dropped when left."""
    name = f"trawler_module_{uuid4().hex[:12]}"
    with connect(server_url) as admin:
        admin.execute(f"CREATE DATABASE {name} TEMPLATE {template}".encode())
        yield pooled(urlsplit(driver_url(server_url))._replace(path=f"/{name}").geturl())
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


def let_all_go(redis_url: str) -> None:
    """End all that limits hold back, as an operator does who mended what it was for."""
    with redis.Redis.from_url(redis_url) as client:
        let_go(client)


def living(processes: Iterable[psutil.Process]) -> list[psutil.Process]:
    """Those that still run; one that has ended and that nobody has asked about yet does not."""
    found = []
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            if process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


def every_provider(url: str, key: str = "test-key") -> dict[str, str]:
    """Settings that configure all providers and point them at one simulator; without them only ScrapeCreators is."""
    return {
        "SCRAPECREATORS_BASE_URL": url,
        "SCRAPECREATORS_API_KEY": key,
        "YOUTUBE_BASE_URL": f"{url}/youtube_data_api",
        "YOUTUBE_API_KEY": key,
        "INSTAGRAM_GRAPH_BASE_URL": f"{url}/instagram_graph",
        "INSTAGRAM_GRAPH_TOKEN": key,
        "INSTAGRAM_GRAPH_USER_ID": "17841400000000000",
        "TIKTOK_RESEARCH_BASE_URL": f"{url}/tiktok_research",
        "TIKTOK_CLIENT_KEY": key,
        "TIKTOK_CLIENT_SECRET": f"{key}-secret",
        "APIFY_BASE_URL": f"{url}/apify",
        "APIFY_TOKEN": key,
    }
