"""A slice of a scraping job: from the row to a decision."""

import structlog

from actors.calling import Caller
from actors.page_loop import PageLoop
from actors.runtime import Runtime
from actors.slices import run_settled
from db.queries.claiming import load_scraping_work
from platforms.query import read_query, unknown_params
from platforms.registry import find
from worker.clock import monotonic
from worker.errors import ConfigurationError, InvalidJob
from worker.job_states import Decision, Ending, JobStatus
from worker.leases import Lease

log = structlog.get_logger()


async def work_scraping_lane(runtime: Runtime, lane: str) -> None:
    """Claim and work tasks of the lane, one after the other, until there is none or a slice's time is used up.

    A busy slot refills itself from Postgres; after a slice's time it lets go, so that other lanes get their turn.
    """
    started = monotonic()
    while not runtime.stopping.is_set() and monotonic() - started < runtime.settings.slice_seconds:
        leases = await runtime.claim(lane)
        if not leases:
            return
        await work_scraping_task(runtime, leases[0])


async def work_scraping_task(runtime: Runtime, lease: Lease) -> None:
    """Work one slice of a leased task and settle it."""
    await run_settled(runtime, lease, lambda held: _run_slice(runtime, held))


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
