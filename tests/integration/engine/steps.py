"""Steps the engine's tests share: tasks made, claimed and paged through the product's own statements."""

import asyncio
import json
import threading
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import Future
from datetime import timedelta
from typing import Any, TypeVar
from uuid import UUID, uuid4

import psycopg
from psycopg import AsyncConnection

from db.queries import claiming, lanes
from db.queries.adopting import adopt_from_inbox
from db.queries.claiming import Claimed
from db.queries.committing import PageWrite
from db.session import Pool
from tests.fleet import eventually
from tests.jobs import insert_job
from worker.clock import monotonic
from worker.lanes import UNROUTABLE, UNROUTABLE_JOB
from worker.leases import Lease

LANE = "scrape.tiktok"
JOB_LANE = "job.noop"
TTL = timedelta(seconds=60)
JOB_TIMEOUT = timedelta(minutes=60)
OWNER = "worker-1"
T = TypeVar("T")


def make_lanes(connection: psycopg.Connection, max_running: int = 256, max_per_tenant: int = 8) -> None:
    wanted = [lanes.NewLane(name, max_running, max_per_tenant) for name in (LANE, UNROUTABLE, JOB_LANE, UNROUTABLE_JOB)]
    lanes.ensure_lanes(connection, wanted)


def adopt(connection: psycopg.Connection, batch: int = 1000) -> tuple[int, list[str]]:
    return adopt_from_inbox(connection, "scraping_jobs", batch)


def adopted_job(connection: psycopg.Connection, **columns: Any) -> str:
    """One job as a service inserts it, with its task."""
    job_id = insert_job(connection, **columns)
    adopt(connection)
    return job_id


async def claim(pool: Pool, tokens: Sequence[UUID] | None = None, count: int = 1, lane: str = LANE) -> list[Claimed]:
    async with pool.connection() as connection:
        return await claim_on(connection, tokens, count, lane)


async def claim_on(
    connection: AsyncConnection, tokens: Sequence[UUID] | None = None, count: int = 1, lane: str = LANE
) -> list[Claimed]:
    return await claiming.claim(connection, lane, OWNER, tokens or [uuid4() for _ in range(count)], TTL, JOB_TIMEOUT)


async def claimed_job(connection: psycopg.Connection, pool: Pool, **columns: Any) -> tuple[str, Claimed]:
    """One job that a worker has just leased."""
    job_id = adopted_job(connection, **columns)
    (claimed,) = await claim(pool)
    assert claimed.job_id == job_id
    return job_id, claimed


def lease_of(claimed: Claimed, seconds: float = 60) -> Lease:
    return Lease(claimed, monotonic(), seconds)


def doc(key: str) -> str:
    return json.dumps({"creator": {"id": key}})


def page_of(claimed: Claimed, seq: int = 1, keys: Sequence[str] = ("a", "b"), **changes: Any) -> PageWrite:
    fields: dict[str, Any] = {
        "job_table": claimed.job_table,
        "task_id": claimed.id,
        "token": claimed.token,
        "seq": seq,
        "word": "lamp",
        "cursor": str(seq * 10),
        "cursor_shown": seq * 10,
        "items": len(keys),
        "unreadable": 0,
        "credits": 1,
        "dropped": 0,
        "keys": list(keys),
        "aliases": ["" for _ in keys],
        "docs": [doc(key) for key in keys],
        "envelope_here": json.dumps({"page": seq}),
        "envelope_next": json.dumps({"page": seq + 1}),
        "ttl": TTL,
        "provider": "simulator",
        "endpoint": "search",
        "adapter_version": 1,
        "bad_reasons": [],
        "bad_messages": [],
        "bad_raws": [],
    }
    return PageWrite(**{**fields, **changes})


def everything(connection: psycopg.Connection) -> dict[str, list[str]]:
    """Every row of every table of ours and of the application."""
    tables = connection.execute(
        "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables"
        " WHERE schemaname IN ('public', 'worker') ORDER BY 1"
    ).fetchall()
    return {
        name: [row for (row,) in connection.execute(f"SELECT to_jsonb(t)::text FROM {name} t ORDER BY 1".encode())]
        for (name,) in tables
    }


def attempts(connection: psycopg.Connection, task_id: int) -> list[tuple[str, str, str | None]]:
    return connection.execute(
        "SELECT outcome, reason, detail FROM worker.attempts WHERE task_id = %s ORDER BY id", (task_id,)
    ).fetchall()


def set_task(connection: psycopg.Connection, task_id: int, assignments: str) -> None:
    changed = connection.execute(f"UPDATE worker.tasks SET {assignments} WHERE id = %s".encode(), (task_id,))
    assert changed.rowcount == 1


def set_row(connection: psycopg.Connection, job_id: str, assignments: str) -> None:
    """Change a row as the application does."""
    changed = connection.execute(f"UPDATE scraping_jobs SET {assignments} WHERE id = %s::uuid".encode(), (job_id,))
    assert changed.rowcount == 1


def value(connection: psycopg.Connection, statement: str, *parameters: Any) -> Any:
    row = connection.execute(statement.encode(), parameters).fetchone()
    assert row is not None
    return row[0]


def blocked_backends(connection: psycopg.Connection) -> list[int]:
    """Backends of this database that wait for a lock right now."""
    rows = connection.execute(
        "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    ).fetchall()
    return [pid for (pid,) in rows]


def wait_until_blocked(connection: psycopg.Connection, count: int = 1) -> list[int]:
    def enough() -> list[int]:
        blocked = blocked_backends(connection)
        return blocked if len(blocked) >= count else []

    return eventually(enough, seconds=10)


def in_thread(work: Callable[[], T]) -> "Future[T]":
    """Run in a thread of its own; the future holds what it gave or raised."""
    future: Future[T] = Future()

    def run() -> None:
        try:
            future.set_result(work())
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return future


def in_loop(coroutine: Callable[[], Coroutine[Any, Any, T]]) -> "Future[T]":
    """Run in an event loop of its own, in a thread of its own."""
    return in_thread(lambda: asyncio.run(coroutine()))
