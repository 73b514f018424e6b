"""What a handler declares: its job type, its payload, what it does, and how it is retried.

**Effects in Postgres alone** go into one transaction with the job's completion, so that both happen or neither does,
whatever is killed in between:

    async def run(context: JobContext, payload: Payload) -> JobSettled:
        async with context.transaction() as connection:
            count = await change_something(connection, payload.user_id)
            await raise_event(connection, event)
            return await context.completing(connection, {"changed": count})

``transaction()`` locks the task before anything else and checks the lease's token; the row is written last, by
``completing``. When the lease is lost, the job is cancelled or the application changed the row, the block raises, all
of it is rolled back, and the slice ends as it must: let that error pass. An error of the handler's own inside the block
rolls back too and is judged as anywhere else. Keep the block short, and call nobody outside from it: beats pass the
locked task over, and who wants to cancel it waits. Read configurations before it: a block that holds a connection and
asks for another can starve all the others.

A handler with more work than one transaction should hold may use several: each is fenced, and only the last calls
``completing``. What the earlier ones did must be harmless if done again.

**Effects that leave Postgres** (a mail, a call) are done at least once: a handler whose worker dies after its effect
and before its completion runs again. Give such an effect an idempotency key.
"""

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import msgspec
from psycopg import AsyncConnection

from db.session import Pool
from worker.completing import complete, fenced_transaction
from worker.configuration import Configuration
from worker.leases import Lease

if TYPE_CHECKING:
    from actors.runtime import Runtime


class JobSettled:
    """What ``run`` returns when its own transaction has settled the job; there is one, `SETTLED`."""


SETTLED: Final = JobSettled()


@dataclass(frozen=True, slots=True)
class JobContext:
    """What a handler may use. ``attempt`` counts from 1 and grows with errors, never with waits or crashes."""

    pool: Pool
    lease: Lease
    job_type: str
    attempt: int
    owner: str
    """The process that runs the job."""
    configuration: Configuration
    """What the application configures: ``await context.configuration.value(TRIAL_DAYS)``."""
    runtime: "Runtime"
    """The worker's own, for a handler that calls providers: their transports, limits and settings."""

    @property
    def cancelled(self) -> bool:
        """Whether somebody wants the job stopped; a long handler looks now and then."""
        return self.lease.cancelled is not None

    @property
    def held(self) -> bool:
        """Whether the handler may still act; once False, its results are thrown away."""
        return self.lease.held

    def transaction(self) -> AbstractAsyncContextManager[AsyncConnection[Any]]:
        """A transaction that happens only while the job is ours; it may settle it with `completing`.

        Raises `worker.errors.AuthorityLost` when it is not, and `psycopg.OperationalError` when the database is away.
        """
        return fenced_transaction(self.pool, self.lease)

    async def completing(self, connection: AsyncConnection[Any], result: Any = None) -> JobSettled:
        """Settle the job as completed in this transaction, as its last statement; return what it gives from ``run``.

        ``result`` is anything msgspec encodes. Raises `worker.errors.AuthorityLost` when the job is no longer ours, and
        `worker.errors.FailJob` when the result cannot be kept.
        """
        await complete(connection, self.lease, self.owner, result)
        return SETTLED


@dataclass(frozen=True, slots=True)
class Handler:
    """One job type.

    ``run`` gives the job's result (anything msgspec encodes), gives `SETTLED` when its own transaction settled the job,
    or raises a `worker.errors.JobSignal`. Any other exception is an error that is retried.
    """

    job_type: str
    payload: type[msgspec.Struct]
    run: Callable[[JobContext, Any], Awaitable[Any]]
    retry_base_seconds: float = 5.0
    retry_cap_seconds: float = 600.0
    at_once: int | None = None
    """Jobs of the type that one slot claims and runs side by side; None is ``TRAWLER_BACKGROUND_BATCH``.

    Many where one takes a moment and holds nothing: claims and completions then cost a share of one statement each.
    """
    grouped: bool = False
    """Whether up to ``at_once`` jobs share one lease, run one after another, and complete together.

    For a job that takes a moment and has no effect but its result: it may not call `JobContext.transaction`, which
    refuses it there. One that raises runs once more by itself. Jobs of a user and later runs never are in a group.
    """
    schedule: str | None = None
    """Cron text (UTC) of the schedule named after the job type, which the reconciler makes where it is missing.

    One that is there is left as it is, so an operator may change or disable it.
    """
