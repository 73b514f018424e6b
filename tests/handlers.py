"""Handlers of the tests: each does one thing that a handler may do, good or bad.

A process loads them by ``TRAWLER_HANDLERS=tests.handlers``. Those that count their runs need `make_runs`.
"""

import asyncio
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, Literal

import msgspec
import psycopg

from actors.handlers.contract import Handler, JobContext
from db.session import connect
from worker.errors import FailJob, RetryJob, WaitJob

SETTINGS = {"TRAWLER_HANDLERS": "tests.handlers"}
GATE = 7_204
"""Key of the advisory lock that holds `gated` up."""

_held: list[bytes] = []


class Nothing(msgspec.Struct):
    """No payload."""


class Echo(msgspec.Struct):
    """What to give back, and a number that a test may get wrong."""

    text: str
    number: int = 0


class Times(msgspec.Struct):
    """Works at run ``until``; before that it asks for another after ``delay_seconds``."""

    until: int = 2
    delay_seconds: float = 0


class Grouped(msgspec.Struct):
    """What a job does that may be in a group."""

    does: Literal["well", "nul", "fail", "settle", "wait at the gate", "hang", "kill"] = "well"
    only_in_group: bool = False


class Megabytes(msgspec.Struct):
    """How much to hold."""

    megabytes: int


def make_runs(connection: psycopg.Connection) -> None:
    """Make the table in which handlers note that they ran."""
    connection.execute("CREATE TABLE handler_runs (job_id text NOT NULL)")


def runs(connection: psycopg.Connection, job_id: str) -> int:
    """How often a job's handler ran."""
    found = connection.execute("SELECT count(*) FROM handler_runs WHERE job_id = %s", (job_id,)).fetchone()
    assert found
    return int(found[0])


@contextmanager
def closed_gate(database_url: str) -> Iterator[psycopg.Connection]:
    """Holds every job up that waits at the gate, until the connection's transaction ends."""
    with connect(database_url, "gate", autocommit=False) as holder:
        holder.execute("SELECT pg_advisory_xact_lock(%s)", (GATE,))
        yield holder


def waits_at_the_gate(connection: psycopg.Connection) -> bool:
    """Whether a job of this database does."""
    found = connection.execute(
        "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND objid = %s AND NOT granted", (GATE,)
    ).fetchone()
    return found is not None


async def _count_run(context: JobContext) -> int:
    async with context.pool.connection() as connection:
        await connection.execute("INSERT INTO handler_runs VALUES (%s)", (context.lease.job_id,))
        cursor = await connection.execute(
            "SELECT count(*) FROM handler_runs WHERE job_id = %s", (context.lease.job_id,)
        )
        row = await cursor.fetchone()
        assert row
        return int(row[0])


async def _echo(context: JobContext, payload: Echo) -> Echo:
    return payload


async def _counted(context: JobContext, payload: Nothing) -> int:
    return await _count_run(context)


async def _gated(context: JobContext, payload: Nothing) -> str:
    async with context.pool.connection() as connection:
        await connection.execute("SELECT pg_advisory_xact_lock_shared(%s)", (GATE,))
    return "through"


async def _fail_times(context: JobContext, payload: Times) -> dict[str, int]:
    count = await _count_run(context)
    if count < payload.until:
        delay = timedelta(seconds=payload.delay_seconds)
        raise RetryJob("mail_refused", f"the mail server refused run {count}", delay)
    return {"runs": count, "attempt": context.attempt}


async def _always_fail(context: JobContext, payload: Nothing) -> None:
    await _count_run(context)
    raise RuntimeError("the mail server is on fire")


async def _wait_once(context: JobContext, payload: Times) -> dict[str, int]:
    count = await _count_run(context)
    if count == 1:
        raise WaitJob("mail_queue_full", "the mail queue is full", timedelta(seconds=payload.delay_seconds))
    return {"runs": count, "attempt": context.attempt}


async def _give_up(context: JobContext, payload: Nothing) -> None:
    await _count_run(context)
    raise FailJob("no_such_mailbox", "mailbox 'nobody' does not exist; correct the address and insert a new job")


async def _hang(context: JobContext, payload: Nothing) -> None:
    await asyncio.sleep(3600)


async def _block_loop(context: JobContext, payload: Nothing) -> None:
    time.sleep(3600)  # noqa: ASYNC251 - the fault under test


async def _nul_result(context: JobContext, payload: Nothing) -> dict[str, str]:
    await _count_run(context)
    return {"text": "before\0after"}


async def _surrogate_result(context: JobContext, payload: Nothing) -> dict[str, str]:
    await _count_run(context)
    return {"text": "half a sign: \ud83d"}


async def _object_result(context: JobContext, payload: Nothing) -> Any:
    await _count_run(context)
    return object()


async def _grow(context: JobContext, payload: Megabytes) -> None:
    for _ in range(payload.megabytes):
        _held.append(b"x" * 1_000_000)
        await asyncio.sleep(0)


async def _kill_me(context: JobContext, payload: Nothing) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


async def _grouped(context: JobContext, payload: Grouped) -> Any:
    alone = context.lease.epoch > 0
    if not (alone and payload.only_in_group):
        match payload.does:
            case "nul":
                return {"text": "before\0after"}
            case "fail":
                raise RuntimeError("the mail server is on fire")
            case "settle":
                async with context.transaction() as connection:
                    return await context.completing(connection, {"settled": "by its own transaction"})
            case "wait at the gate":
                await _gated(context, Nothing())
            case "hang":
                await asyncio.sleep(3600)
            case "kill":
                os.kill(os.getpid(), signal.SIGKILL)
    return {"alone": alone}


QUICK = {"retry_base_seconds": 0.1, "retry_cap_seconds": 0.3}

HANDLERS = (
    Handler("echo", Echo, _echo),
    Handler("counted", Nothing, _counted),
    Handler("gated", Nothing, _gated),
    Handler("fail_times", Times, _fail_times, **QUICK),
    Handler("always_fail", Nothing, _always_fail, **QUICK),
    Handler("wait_once", Times, _wait_once),
    Handler("give_up", Nothing, _give_up),
    Handler("hang", Nothing, _hang),
    Handler("block_loop", Nothing, _block_loop),
    Handler("nul_result", Nothing, _nul_result),
    Handler("surrogate_result", Nothing, _surrogate_result),
    Handler("object_result", Nothing, _object_result),
    Handler("grouped", Grouped, _grouped, at_once=100, grouped=True, **QUICK),
    Handler("grow", Megabytes, _grow),
    Handler("kill_me", Nothing, _kill_me),
)
