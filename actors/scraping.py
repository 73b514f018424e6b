"""A slice of a scraping job or a search: from the row to a decision."""

from collections.abc import Sequence

import msgspec
import psycopg
import structlog

from actors.calling import Caller
from actors.loading import in_words_of_its_table, load_work
from actors.metering import Meter
from actors.page_loop import PageLoop
from actors.provider_order import adapters_of
from actors.runtime import Runtime
from actors.segments import Segments
from actors.slices import run_settled
from actors.storing import PageStore
from db.queries.spending import record_spend
from platforms.contract import Adapter
from platforms.cursor import read
from platforms.params import unknown_params
from platforms.query import read_query
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
    try:
        work = await load_work(runtime, lease)
        if work is None or work.status != JobStatus.PROCESSING:
            return Decision(Ending.OUTSIDE, "row_changed")
        query = read_query(
            work.platform,
            work.keywords,
            work.target_username,
            work.region,
            work.target_results,
            work.search_params,
        )
        adapters = _usable(runtime, adapters_of(query, runtime.settings.providers))
        if ignored := unknown_params(work.search_params):
            log.info("search_params_ignored", keys=ignored)
        meter = Meter()
        segments = Segments(
            query,
            adapters,
            lambda provider: Caller(
                provider,
                runtime.providers.account(provider),
                runtime.providers.of(provider),
                runtime.call_places,
                runtime.limits,
                meter,
                lease,
            ),
            read(work.envelope),
            work.processed_runs,
            work.deadline_at,
        )
    except (InvalidJob, ConfigurationError) as error:
        return Decision(Ending.ERROR, error.code, in_words_of_its_table(lease, str(error)))
    store = PageStore(
        runtime.pool,
        lease,
        query,
        meter,
        by_handle_too=segments.more_than_one,
        unplanned=runtime.settings.unplanned_creators,
    )
    loop = PageLoop(
        pool=runtime.pool,
        settings=runtime.settings,
        stopping=runtime.stopping,
        lease=lease,
        work=work,
        query=query,
        segments=segments,
        store=store,
        watch=runtime.watch,
    )
    try:
        return await loop.run()
    finally:
        await _write_down(runtime, lease, meter)


def _usable(runtime: Runtime, adapters: Sequence[Adapter]) -> Sequence[Adapter]:
    """Those whose provider has credentials; all of them where none has, so that the first one says what is missing."""
    return [one for one in adapters if runtime.providers.configured(one.capability.provider)] or adapters


async def _write_down(runtime: Runtime, lease: Lease, meter: Meter) -> None:
    """Keep what calls cost that no page tells of."""
    spends = meter.open()
    if not spends:
        return
    try:
        async with runtime.pool.connection() as connection:
            await record_spend(connection, lease.task_id, spends)
    except psycopg.OperationalError as error:
        log.warning("spend_not_recorded", spends=[msgspec.to_builtins(spend) for spend in spends], error=str(error))
