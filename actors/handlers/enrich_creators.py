"""``enrich_creators``: fills the creators of a stored job with their profiles, in their places.

A batch is looked up, then written back in one transaction with what the calls cost. Profiles are kept the moment they
come, and creators that were filled are passed over, so a run that breaks off pays for nothing twice.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import msgspec

from actors.calling import Caller
from actors.enrichment import Enriched, enrich
from actors.handlers.contract import Handler, JobContext, JobSettled
from actors.handlers.profile_filling import filled, item_of
from actors.metering import Meter
from actors.provider_order import adapters_of
from db.queries import enriching
from db.queries.follow_ups import FollowUp, queue_job
from db.queries.spending import record_spend
from platforms.contract import Capability, ProfileAdapter
from platforms.query import read_query
from worker.clock import monotonic
from worker.errors import ConfigurationError, FailJob, InvalidJob, WaitJob

if TYPE_CHECKING:
    from actors.runtime import Runtime

AT_WORK = timedelta(seconds=30)
"""How long a job that is still being searched is waited for."""


class EnrichCreators(msgspec.Struct, rename="camel"):
    """Which scraping job, and how many calls at most: ``{"jobId": ..., "maxCalls": 200}``."""

    job_id: UUID
    max_calls: Annotated[int, msgspec.Meta(ge=0)] | None = None


@dataclass(slots=True)
class _Work:
    """What one run looks creators up with, and what it did."""

    runtime: "Runtime"
    adapter: ProfileAdapter
    capability: Capability
    caller: Caller
    meter: Meter
    most_calls: int | None
    completed: int = 0
    failed: int = 0

    @property
    def calls_left(self) -> int | None:
        """What ``maxCalls`` leaves."""
        return None if self.most_calls is None else max(self.most_calls - self.meter.calls, 0)


async def run(context: JobContext, payload: EnrichCreators) -> JobSettled:
    """Look up every creator of the job whose profile was not read; give how many are filled, and how many failed.

    What does not fit into a slice's time is queued as a job of its own (``more`` in the result). Raises `WaitJob` while
    the job is searched or the provider refuses calls, and `FailJob` when no provider can look these creators up.
    """
    runtime = context.runtime
    async with context.pool.connection() as connection:
        search = await enriching.stored_search(connection, payload.job_id)
        batches = await enriching.thin_batches(connection, payload.job_id)
    if search is None:
        raise FailJob("unknown_job", f"jobId is {str(payload.job_id)!r}, which does not exist; expected a stored job")
    if search.status in ("pending", "processing"):
        raise WaitJob(
            "job_at_work", f"the job is {search.status!r}; its creators are filled when it has ended", AT_WORK
        )
    work = _work_of(context, search, payload)
    started, more = monotonic(), False
    try:
        for batch in batches:
            if not context.held or context.cancelled or work.calls_left == 0:
                break
            if runtime.stopping.is_set() or monotonic() - started >= runtime.settings.slice_seconds:
                more = True
                break
            await _fill(context, work, batch)
    finally:
        await _write_down(context, work)
    async with context.transaction() as connection:
        if more:
            rest = {"jobId": str(payload.job_id)}
            left = {} if work.calls_left is None else {"maxCalls": work.calls_left}
            await queue_job(connection, FollowUp("enrich_creators", rest | left, f"enrich:{context.lease.job_id}"))
        result = {"completed": work.completed, "failed": work.failed, "calls": work.meter.calls, "more": more}
        return await context.completing(connection, result)


async def _fill(context: JobContext, work: _Work, batch: UUID) -> None:
    """Look one batch up and write it back. Raises `WaitJob` when the provider refuses calls; what came is kept."""
    async with context.pool.connection() as connection:
        creators = await enriching.batch_of(connection, batch)
    items = {item.key: item for item in map(item_of, creators) if item is not None}
    found = await enrich(
        context.pool,
        work.caller,
        work.runtime.watch,
        work.adapter,
        work.capability,
        list(items.values()),
        max_age=timedelta(days=work.runtime.settings.profile_age_days),
        calls_at_once=work.runtime.settings.profile_calls,
        most_calls=work.calls_left,
    )
    async with context.transaction() as connection:
        stored = await enriching.batch_of(connection, batch, lock=True)
        whole = [_with_profile(creator, found, work) for creator in stored]
        if whole != stored:
            await enriching.write_batch(connection, batch, whole)
    if found.blocked is not None:
        raise WaitJob(found.blocked.rule, found.blocked.message, found.blocked.wait)


def _with_profile(creator: Any, found: Enriched, work: _Work) -> Any:
    item = item_of(creator)
    if item is None or item.key not in found.profiles:
        return creator
    profile = found.profiles[item.key]
    if profile is None and found.blocked is not None:
        # It was not this creator's fault, and the next run asks again.
        return creator
    work.completed += profile is not None
    work.failed += profile is None
    return filled(creator, profile)


def _work_of(context: JobContext, search: enriching.StoredSearch, payload: EnrichCreators) -> _Work:
    runtime = context.runtime
    try:
        query = read_query(
            search.platform,
            search.keywords,
            search.target_username,
            search.region,
            search.target_results,
            search.search_params,
        )
        adapters = [one for one in adapters_of(query, runtime.settings.providers) if one.profiles is not None]
        usable = [one for one in adapters if runtime.providers.configured(one.capability.provider)] or adapters
        if not usable:
            raise InvalidJob(f"no provider of this search looks creators of {search.platform} up; expected one")
        adapter = usable[0]
        provider = adapter.capability.provider
        meter = Meter()
        caller = Caller(
            provider,
            runtime.providers.account(provider),
            runtime.providers.of(provider),
            runtime.call_places,
            runtime.limits,
            meter,
            context.lease,
        )
    except (InvalidJob, ConfigurationError) as error:
        raise FailJob(error.code, str(error)) from error
    assert adapter.profiles is not None  # noqa: S101 - only those were kept
    return _Work(runtime, adapter.profiles, adapter.capability, caller, meter, payload.max_calls)


async def _write_down(context: JobContext, work: _Work) -> None:
    """Put what the calls cost into the ledger, whatever becomes of the job."""
    if spends := work.meter.open():
        async with context.pool.connection() as connection:
            await record_spend(connection, context.lease.task_id, spends)
        work.meter.written(spends)


HANDLERS = (Handler("enrich_creators", EnrichCreators, run),)
