"""``enrich_creators``: fills the creators of a stored job with their profiles, in their places.

A batch is looked up, then written back in one transaction with what the calls cost. Profiles are kept the moment they
come, and creators that were filled are passed over, so a run that breaks off pays for nothing twice. Each creator that
is filled counts against the enrichments of its user's plan, in that same transaction; what the plan has left is the
most that is looked up and filled.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import msgspec
from psycopg import AsyncConnection

from actors.calling import Caller
from actors.enrichment import enrich
from actors.handlers.contract import Handler, JobContext, JobSettled
from actors.handlers.profile_filling import Filling, item_of
from actors.handlers.reset_monthly_usage import reset_event
from actors.metering import Meter
from actors.provider_order import adapters_of
from db.queries import enriching
from db.queries.enriching import Allowance
from db.queries.events import raise_event
from db.queries.follow_ups import FollowUp, queue_job
from db.queries.spending import record_spend
from db.queries.trials import NewMonth
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
    user_id: str
    plan_spent: bool = False
    completed: int = 0
    failed: int = 0

    @property
    def calls_left(self) -> int | None:
        """What ``maxCalls`` leaves."""
        return None if self.most_calls is None else max(self.most_calls - self.meter.calls, 0)


async def run(context: JobContext, payload: EnrichCreators) -> JobSettled:
    """Look up every creator of the job whose profile was not read; give how many are filled, and how many failed.

    ``endReason`` of the result is ``done``, or ``plan_limit``, ``max_calls`` or ``slice`` where that was used up. What
    does not fit into a slice's time is queued as a job of its own (``more`` in the result). Raises `WaitJob` while the
    job is searched or the provider refuses calls, and `FailJob` when no provider can look these creators up.
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
            if not context.held or context.cancelled or work.plan_spent or work.calls_left == 0:
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
        return await context.completing(connection, result | {"endReason": _end_reason(work, more)})


def _end_reason(work: _Work, more: bool) -> str:
    if work.plan_spent:
        return "plan_limit"
    if more:
        return "slice"
    return "max_calls" if work.calls_left == 0 else "done"


async def _fill(context: JobContext, work: _Work, batch: UUID) -> None:
    """Look one batch up and write it back. Raises `WaitJob` when the provider refuses calls; what came is kept."""
    async with context.pool.connection() as connection:
        creators = await enriching.batch_of(connection, batch)
        left = (await enriching.allowance_of(connection, work.user_id)).left
    items = {item.key: item for item in map(item_of, creators) if item is not None}
    wanted = list(items.values())[:left]
    work.plan_spent = len(wanted) < len(items)
    if not wanted:
        return
    found = await enrich(
        context.pool,
        work.caller,
        work.runtime.watch,
        work.adapter,
        work.capability,
        wanted,
        max_age=timedelta(days=work.runtime.settings.profile_age_days),
        calls_at_once=work.runtime.settings.profile_calls,
        most_calls=work.calls_left,
    )
    async with context.transaction() as connection:
        stored = await enriching.batch_of(connection, batch, lock=True)
        # Another job of the user may have counted since the look-ups began.
        allowance = await enriching.allowance_of(connection, work.user_id, lock=True)
        filling = Filling(found, allowance.left)
        whole = [filling.whole(creator) for creator in stored]
        if whole != stored:
            await enriching.write_batch(connection, batch, whole)
        if filling.completed and allowance.usage is not None:
            await enriching.count_enrichments(connection, allowance, filling.completed)
            await _tell_of_month(connection, work.user_id, allowance)
    work.completed += filling.completed
    work.failed += filling.failed
    work.plan_spent |= filling.cut
    if found.blocked is not None:
        raise WaitJob(found.blocked.rule, found.blocked.message, found.blocked.wait)


async def _tell_of_month(connection: AsyncConnection[Any], user_id: str, allowance: Allowance) -> None:
    if allowance.month is not None:
        before = (allowance.creators_before or 0, allowance.enrichments_before or 0)
        await raise_event(connection, reset_event(NewMonth(user_id, allowance.month, *before)))


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
        known = [
            (one.capability, one.profiles)
            for one in adapters_of(query, runtime.settings.providers)
            if one.profiles is not None
        ]
        usable = [one for one in known if runtime.providers.configured(one[0].provider)] or known
        if not usable:
            raise InvalidJob(f"no provider of this search looks creators of {search.platform} up; expected one")
        capability, profiles = usable[0]
        provider = capability.provider
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
    return _Work(runtime, profiles, capability, caller, meter, payload.max_calls, search.user_id)


async def _write_down(context: JobContext, work: _Work) -> None:
    """Put what the calls cost into the ledger, whatever becomes of the job."""
    if spends := work.meter.open():
        async with context.pool.connection() as connection:
            await record_spend(connection, context.lease.task_id, spends)
        work.meter.written(spends)


HANDLERS = (Handler("enrich_creators", EnrichCreators, run),)
