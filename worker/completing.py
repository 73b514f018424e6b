"""A job's effects and its completion in one transaction: both happen, or neither does."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import psycopg
from psycopg import AsyncConnection
from psycopg.errors import ProgramLimitExceeded

from db.queries import settling
from db.session import Pool
from worker.errors import AuthorityLost, FailJob
from worker.job_states import Decision, Ending, cancelled
from worker.leases import Lease
from worker.settling import MEND_HANDLER, settlement_of


class NotOurs(AuthorityLost):
    """Raised inside a fenced transaction whose job is no longer the holder's; ``decision`` says how the slice ends."""

    def __init__(self, decision: Decision) -> None:
        super().__init__(decision.reason)
        self.decision = decision


@asynccontextmanager
async def fenced_transaction(pool: Pool, lease: Lease) -> AsyncIterator[AsyncConnection[Any]]:
    """A transaction that happens only while the lease is good.

    The task is locked first and until the end, so that nobody can take it in between. Raises `NotOurs` when the lease
    is somebody else's or somebody wants the job stopped, and `psycopg.OperationalError` when the database is away.
    Where only the reply of the commit was lost the job may be settled: then its token settles nothing any more, so
    that giving the task back changes nothing.
    """
    async with pool.connection() as connection, connection.transaction():
        held = await settling.hold(connection, lease.task_id, lease.token)
        if held is None:
            raise NotOurs(Decision(Ending.LOST, "fenced"))
        if held.cancelled is not None:
            raise NotOurs(cancelled(held.cancelled))
        yield connection


async def complete(connection: AsyncConnection[Any], lease: Lease, owner: str, result: Any) -> None:
    """Settle the job as completed, in the caller's fenced transaction. Locks: task (held already), then row.

    Raises `NotOurs` when the token is no longer the task's or the application changed the row, and `FailJob` when the
    result cannot be kept; the transaction must be rolled back then.
    """
    try:
        encoded = None if result is None else msgspec.json.encode(result).decode()
    except Exception as error:  # what an odd object raises, nobody can list
        raise _refused(error) from error
    settlement = settlement_of(lease, owner, Decision(Ending.COMPLETED, "done", result=encoded))
    try:
        settled = await settling.close(connection, settlement)
    except (psycopg.DataError, ProgramLimitExceeded) as error:
        raise _refused(error) from error
    if not settled.owned:
        raise NotOurs(Decision(Ending.LOST, "fenced"))
    if not settled.row_written:
        # The application ended, reset or deleted the row: what was done for it must not be.
        raise NotOurs(Decision(Ending.OUTSIDE, "row_changed"))


def _refused(error: Exception) -> FailJob:
    return FailJob(
        "result_refused",
        f"the handler's result cannot be kept: {type(error).__name__}: {error}; nothing was done. {MEND_HANDLER}",
    )
