"""Small jobs: so many background jobs that do nothing are waiting; how long until the last one is completed?

For Trawler both rows are kept true: the application's row goes from pending to completed with its times, the task is
closed, the attempt noted. A peer's clock runs from the moment it is let go until its queue is empty.
"""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from psycopg import Connection

from bench.peers import PEERS, Peer
from bench.processes import CpuClock, ours, running
from bench.results import Row
from db.session import connect
from worker.embedded import Servers
from worker.enqueueing import enqueue_background_job

LANE = "job.noop"
LOOK_SECONDS = 0.02
LONGEST_SECONDS = 120.0


def measure(servers: Servers, home: Path, *, jobs: int, runs: int, processes: int, peers: bool) -> Iterator[Row]:
    """One row a run, Trawler and its peers in turns, so that an hour that is slow is slow for all."""
    who = [peer for peer in PEERS if peer.is_installed()] if peers else []
    with connect(servers.database_url, "bench") as connection:
        environment = {
            "DATABASE_URL": servers.database_url,
            "REDIS_URL": servers.redis_url,
            "TRAWLER_HOME": str(home),
            "TRAWLER_SCHEDULES": "false",
        }
        log = home / "small_jobs.log"
        with running([ours("scripts.reconciler")], environment, log):
            _until(lambda: _count(connection, "worker.lanes WHERE lane = 'job.noop'") == 1)
            for run in range(1, runs + 1):
                yield {"who": "trawler", "run": run} | _trawler(connection, environment, log, jobs, processes)
                for peer in who:
                    yield {"who": peer.name, "run": run} | _peer(connection, environment, log, peer, jobs, processes)


def _trawler(
    connection: Connection, environment: dict[str, str], log: Path, jobs: int, processes: int
) -> dict[str, Any]:
    _hold(connection, paused=True)
    for table in ("background_jobs", "worker.tasks", "worker.inbox"):
        connection.execute(f"DELETE FROM {table}".encode())
    with connection.transaction():
        for _ in range(jobs):
            enqueue_background_job(connection, job_type="noop", payload={})
    _until(lambda: _count(connection, "worker.tasks WHERE state = 'ready'") == jobs)
    _settle(connection)
    with running([ours("actors")] * processes, environment, log) as workers:
        _until(lambda: _count(connection, "worker.workers WHERE kind = 'worker'") == processes)
        clock = CpuClock(connection, workers)
        _hold(connection, paused=False)
        _until(lambda: _count(connection, "background_jobs WHERE status <> 'completed'") == 0)
        cpu = clock.micros(jobs)
        told = connection.execute(
            "SELECT extract(epoch FROM max(completed_at) - min(started_at))::float8 FROM background_jobs"
        ).fetchone()
    assert told  # noqa: S101 - an aggregate gives one row
    wrong = _count(connection, "worker.tasks WHERE state <> 'closed' OR end_reason <> 'done' OR epoch <> 1")
    if wrong:
        raise RuntimeError(f"{wrong} tasks did not end as they must; the figure would be worth nothing")
    return {"jobs_per_second": round(jobs / told[0]), **cpu}


def _peer(
    connection: Connection, environment: dict[str, str], log: Path, peer: Peer, jobs: int, processes: int
) -> dict[str, Any]:
    with running([peer.command("fill", str(jobs))], environment, log) as (filler,):
        if filler.wait(LONGEST_SECONDS) != 0:
            raise RuntimeError(f"{peer.name} could not be filled; see {log}")
    _settle(connection)
    with running([peer.command("work")] * processes, environment, log) as workers:
        for worker in workers:
            _expect_line(worker.stdout, peer.name)
        clock = CpuClock(connection, workers)
        began = time.monotonic()
        for worker in workers:
            assert worker.stdin  # noqa: S101 - `running` gives each a pipe
            worker.stdin.write("go\n")
            worker.stdin.flush()
        _until(lambda: peer.left(environment) == 0)
        seconds = time.monotonic() - began
        return {"jobs_per_second": round(jobs / seconds), **clock.micros(jobs)}


def _expect_line(output: Any, name: str) -> None:
    if output.readline().strip() != "ready":
        raise RuntimeError(f"a worker of {name} did not get ready")


def _hold(connection: Connection, *, paused: bool) -> None:
    connection.execute("UPDATE worker.lanes SET paused = %s WHERE lane = %s", (paused, LANE))


def _settle(connection: Connection) -> None:
    """So that no run pays for what was written before it."""
    connection.execute("VACUUM ANALYZE")
    connection.execute("CHECKPOINT")


def _count(connection: Connection, what: str) -> int:
    row = connection.execute(f"SELECT count(*) FROM {what}".encode()).fetchone()
    assert row  # noqa: S101 - count gives one row
    return int(row[0])


def _until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + LONGEST_SECONDS
    while not is_so():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not so after {LONGEST_SECONDS:.0f} s")
        time.sleep(LOOK_SECONDS)
