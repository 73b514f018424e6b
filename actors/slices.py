"""What every slice has in common, whatever it works on: heartbeat, log context, an end that is written down."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

import psycopg
import structlog

from actors.deciding import retry
from actors.runtime import Runtime
from worker import tracing
from worker.job_states import Decision, Ending
from worker.leases import Lease
from worker.missing_schema import SCHEMA_MISSING, tell_if_missing
from worker.settling import settle

log = structlog.get_logger()

DATABASE_PAUSE = timedelta(seconds=1)


async def run_settled(runtime: Runtime, lease: Lease, work: Callable[[Lease], Awaitable[Decision]]) -> None:
    """Work one slice under a lease and settle it. A slice that hangs is ended and its lease left to the sweep."""
    runtime.heartbeat.add(lease)
    try:
        slice_ = asyncio.ensure_future(_decide(runtime, lease, work))
        loop = asyncio.get_running_loop()
        lease.when_abandoned(lambda: loop.call_soon_threadsafe(slice_.cancel))
        try:
            decision = await slice_
        except asyncio.CancelledError:
            if not slice_.cancelled():
                slice_.cancel()
                raise
            decision = Decision(Ending.LOST, "slice_hung")
        await settle(runtime.pool, lease, runtime.owner, decision, runtime.completions)
    finally:
        runtime.heartbeat.remove(lease)
        runtime.slice_ended()


async def _decide(runtime: Runtime, lease: Lease, work: Callable[[Lease], Awaitable[Decision]]) -> Decision:
    # The slice is a task, and so has a log context of its own that ends with it.
    structlog.contextvars.bind_contextvars(**lease.names)
    try:
        return await tracing.traced(work, lease)(lease)
    except psycopg.OperationalError as error:
        # Our own storage away is no fault of the job: it waits, and spends no attempt.
        return Decision(Ending.WAIT, "database_away", str(error), DATABASE_PAUSE)
    except psycopg.InternalError as error:
        if error.sqlstate is not None:
            log.exception("slice_failed")
            return retry("fault", f"{type(error).__name__}: {error}", lease, runtime.settings)
        # The driver's own: the answer does not fit the question, as when the server behind a pooler is cut.
        return Decision(Ending.WAIT, "database_away", str(error), DATABASE_PAUSE)
    except SCHEMA_MISSING as error:
        # Not the job's fault. A handler's own missing table does not come here: what handlers raise is judged before.
        tell_if_missing(error)
        return Decision(Ending.LOST, "schema_missing")
    except Exception as error:
        # A fault of ours must end as a state that somebody can see, not as a lease that runs out.
        log.exception("slice_failed")
        return retry("fault", f"{type(error).__name__}: {error}", lease, runtime.settings)
