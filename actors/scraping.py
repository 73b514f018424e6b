"""A slice of a scraping job: from the row to a decision."""

import asyncio
from datetime import timedelta

import psycopg
import structlog

from actors.calling import Caller
from actors.deciding import retry
from actors.page_loop import PageLoop
from actors.runtime import Runtime
from db.queries.claiming import load_scraping_work
from platforms.query import read_query, unknown_params
from platforms.registry import find
from worker.claiming import claim_one
from worker.clock import monotonic
from worker.errors import ConfigurationError, InvalidJob
from worker.job_states import Decision, Ending, JobStatus
from worker.leases import Lease
from worker.settling import settle

log = structlog.get_logger()

DATABASE_PAUSE = timedelta(seconds=1)


async def work_lane(runtime: Runtime, lane: str) -> None:
    """Claim and work tasks of the lane, one after the other, until there is none or a slice's time is used up.

    A busy slot refills itself from Postgres; after a slice's time it lets go, so that other lanes get their turn.
    """
    started = monotonic()
    while not runtime.stopping.is_set() and monotonic() - started < runtime.settings.slice_seconds:
        lease = await claim_one(runtime.pool, runtime.settings, lane, runtime.owner)
        if lease is None:
            return
        await work_task(runtime, lease)


async def work_task(runtime: Runtime, lease: Lease) -> None:
    """Work one slice of a leased task and settle it."""
    runtime.heartbeat.add(lease)
    try:
        with structlog.contextvars.bound_contextvars(task=lease.task_id, job=lease.job_id, epoch=lease.epoch):
            decision = await _decision(runtime, lease)
            await settle(runtime.pool, lease, runtime.owner, decision)
    finally:
        runtime.heartbeat.remove(lease)


async def _decision(runtime: Runtime, lease: Lease) -> Decision:
    try:
        return await _run_slice(runtime, lease)
    except asyncio.CancelledError:
        raise
    except psycopg.OperationalError as error:
        # Our own storage away is no fault of the job: it waits, and spends no attempt.
        return Decision(Ending.WAIT, "database_away", str(error), DATABASE_PAUSE)
    except Exception as error:
        # A fault of ours must end as a state that somebody can see, not as a lease that runs out.
        log.exception("slice_failed")
        return retry("fault", f"{type(error).__name__}: {error}", lease, runtime.settings)


async def _run_slice(runtime: Runtime, lease: Lease) -> Decision:
    async with runtime.pool.connection() as connection:
        work = await load_scraping_work(connection, lease.task_id)
    if work is None or work.status != JobStatus.PROCESSING:
        return Decision(Ending.OUTSIDE, "row_changed")
    try:
        query = read_query(
            work.platform,
            work.keywords,
            work.target_username,
            work.region,
            work.target_results,
            work.search_params,
        )
        adapter = find(query.platform, query.kind, query.options.get("provider"))
    except InvalidJob as error:
        return Decision(Ending.ERROR, error.code, str(error))
    if ignored := unknown_params(work.search_params):
        log.info("search_params_ignored", keys=ignored)
    try:
        transport = runtime.transports.of(adapter.capability.provider)
    except ConfigurationError as error:
        return Decision(Ending.ERROR, error.code, str(error))
    loop = PageLoop(
        pool=runtime.pool,
        caller=Caller(transport, runtime.call_places),
        settings=runtime.settings,
        stopping=runtime.stopping,
        lease=lease,
        work=work,
        query=query,
        adapter=adapter,
    )
    return await loop.run()
