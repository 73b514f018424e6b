"""Background jobs: claimed in batches, each run by its handler, each settled by itself."""

import asyncio
from typing import Any

import msgspec
import psycopg
import structlog

from actors.deciding import retry_or_fail, wait_or_fail
from actors.groups import After, work_group
from actors.handlers.contract import SETTLED, Handler, JobContext
from actors.runtime import Runtime
from actors.slices import run_settled
from db.queries.claiming import BackgroundWork, load_background_work
from db.session import connection_lost
from worker.clock import monotonic
from worker.completing import NotOurs
from worker.errors import FailJob, RetryJob, WaitJob
from worker.job_states import Decision, Ending, JobStatus, cancelled
from worker.lanes import job_type_of
from worker.leases import Lease

log = structlog.get_logger()


async def work_background_lane(runtime: Runtime, lane: str) -> None:
    """Claim and run batches of the lane until there is none or a slice's time is used up."""
    started = monotonic()
    handler = runtime.handlers.get(job_type_of(lane))
    at_once = (handler.at_once if handler else None) or runtime.settings.background_batch
    while not runtime.stopping.is_set() and monotonic() - started < runtime.settings.slice_seconds:
        if handler is not None and handler.grouped:
            after = await work_group(runtime, lane, handler, at_once)
            if after is After.GROUP:
                continue
            if after is After.LEAVE:
                return
        leases = await runtime.claim(lane, at_once)
        if not leases:
            return
        await work_background_tasks(runtime, leases)


async def work_background_tasks(runtime: Runtime, leases: list[Lease]) -> None:
    """Run leased jobs side by side."""
    # Loaded within the slices: each lease is beaten for meanwhile, and a database that is away costs each a wait.
    rows = asyncio.ensure_future(_load(runtime, leases))
    await asyncio.gather(*(run_settled(runtime, lease, lambda held: _run(runtime, held, rows)) for lease in leases))


async def _load(runtime: Runtime, leases: list[Lease]) -> dict[int, BackgroundWork]:
    async with runtime.pool.connection() as connection:
        return await load_background_work(connection, [lease.task_id for lease in leases])


async def _run(runtime: Runtime, lease: Lease, rows: "asyncio.Future[dict[int, BackgroundWork]]") -> Decision:
    # Shielded, because a slice that is ended must not take the others' rows with it.
    work = (await asyncio.shield(rows)).get(lease.task_id)
    if work is None or work.status != JobStatus.PROCESSING:
        return Decision(Ending.OUTSIDE, "row_changed")
    if runtime.stopping.is_set():
        # Claimed in the moment the process was told to end: nothing has begun.
        return Decision(Ending.CONTINUE, "worker_stops")
    if lease.cancelled is not None:
        return cancelled(lease.cancelled)
    handler = runtime.handlers.get(work.job_type)
    if handler is None:
        known = ", ".join(sorted(runtime.handlers))
        return Decision(
            Ending.ERROR,
            "unknown_job_type",
            f"job_type is {work.job_type!r}; expected one of: {known}; insert a new job",
        )
    try:
        payload = msgspec.json.decode(work.payload, type=handler.payload)
    except (msgspec.DecodeError, RecursionError) as error:
        return Decision(
            Ending.ERROR,
            "invalid_payload",
            f"payload of {work.job_type}: {error}; correct it and set the job to pending",
        )
    return await _handle(runtime, lease, work, handler, payload)


async def _handle(
    runtime: Runtime, lease: Lease, work: BackgroundWork, handler: Handler, payload: msgspec.Struct
) -> Decision:
    context = JobContext(
        runtime.pool, lease, work.job_type, lease.failures + 1, runtime.owner, runtime.configuration, runtime
    )
    retries = lease.max_failures if lease.max_failures is not None else work.max_retries
    timing = (retries, handler.retry_base_seconds, handler.retry_cap_seconds)
    try:
        result = await handler.run(context, payload)
    except RetryJob as signal:
        return retry_or_fail(signal.reason, str(signal), lease, *timing, floor=signal.delay)
    except WaitJob as signal:
        return wait_or_fail(signal.reason, str(signal), lease, runtime.settings, signal.delay)
    except FailJob as signal:
        return Decision(Ending.ERROR, signal.reason, str(signal))
    except NotOurs as signal:
        return signal.decision
    except psycopg.OperationalError as error:
        if connection_lost(error):
            # Storage that is away is no fault of the job.
            raise
        return retry_or_fail("handler_failed", f"{type(error).__name__}: {error}", lease, *timing)
    except Exception as error:
        log.exception("handler_failed", job_type=work.job_type)
        return retry_or_fail("handler_failed", f"{type(error).__name__}: {error}", lease, *timing)
    if result is SETTLED:
        return Decision(Ending.COMPLETED, "done", written=True)
    if not lease.held:
        return Decision(Ending.LOST, "lease_not_renewed")
    if lease.cancelled is not None:
        return cancelled(lease.cancelled)
    return _completed(work.job_type, result)


def _completed(job_type: str, result: Any) -> Decision:
    if result is None:
        return Decision(Ending.COMPLETED, "done")
    try:
        encoded = msgspec.json.encode(result).decode()
    except Exception as error:  # what an odd object raises, nobody can list
        # Another run would give the same, with its effects once more.
        return Decision(
            Ending.ERROR,
            "result_refused",
            f"the handler of {job_type} ran, but its result is no JSON: {type(error).__name__}: {error}; correct the "
            "handler, then set the job to pending if it may run twice",
        )
    return Decision(Ending.COMPLETED, "done", result=encoded)
