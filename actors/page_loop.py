"""The one loop over providers' pages: fetch, judge, dedupe, enrich, filter, commit, go on."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

import structlog

from actors.deciding import decide, plan_limit, retry
from actors.enrichment import NOTHING, Enriched, enrich
from actors.segments import Segments
from actors.shape_watch import ShapeWatch
from actors.storing import PageStore, Place
from actors.telling import tell_of_failover, tell_of_nothing
from db.queries.claiming import ScrapingWork
from db.session import Pool
from platforms import cursor as cursors
from platforms.contract import Query
from platforms.cursor import Envelope
from platforms.outcome import Judgement, Outcome
from platforms.pages import OPENED, Item, Page, Response, Walk
from platforms.profile import Provenance
from worker import tracing
from worker.clock import monotonic, utc_now
from worker.errors import AuthorityLost, PageRefused
from worker.job_states import Decision, Ending, cancelled
from worker.leases import Lease
from worker.settings import Settings

log = structlog.get_logger()

MOST_PROFILE_WAITS = 5
"""Waits in a row for a provider that refuses profiles but gives pages; then creators are stored without."""

SUSPICIOUS_ENDS = ("exhausted", "nothing_new", "repeated_cursor", "page_ceiling", "cursor_lost")
"""Ends that say nothing about why there was nothing; others, e.g. ``no_related``, are clear answers."""


class Stopping(Protocol):
    """Whether the process has been told to stop, e.g. a `threading.Event`."""

    def is_set(self) -> bool:
        """True from then on."""


@dataclass(slots=True)
class PageLoop:
    """One slice of one scraping job."""

    pool: Pool
    settings: Settings
    stopping: Stopping
    lease: Lease
    work: ScrapingWork
    query: Query
    segments: Segments
    store: PageStore
    watch: ShapeWatch

    async def run(self) -> Decision:
        """Work pages until there is a reason to leave; give that reason. Raises nothing that a provider can cause."""
        started = monotonic()
        results, target, seq, pages = self.work.processed_results, self.work.target_results, self.work.seq, 0
        plan_left = self.work.plan_left
        while True:
            segment = self.segments.current
            index = cursors.next_walk(segment.envelope)
            if results >= target:
                return Decision(Ending.COMPLETED, "target_reached")
            if plan_left == 0 and (index is not None or results == 0):
                return plan_limit()
            if index is None:
                if (ended := self._ended(results)) is not None:
                    return ended
                continue
            if leaving := self._reason_to_leave(started, pages):
                return leaving
            fetched = await self._fetch(segment.envelope.walks[index])
            if isinstance(fetched, Judgement):
                if fetched.outcome is Outcome.RESET_CURSOR:
                    fetched = Page(lost_place=True)
                elif self.segments.fail_over(fetched, self.lease):
                    continue
                else:
                    return decide(self.segments.verdict(fetched), self.lease, self.settings)
            if fetched.not_ready is not None:
                return Decision(Ending.WAIT, "provider_at_work", "the provider is still at work", fetched.not_ready)
            seq += 1
            place = Place(segment.envelope, index, seq)
            fresh = await self.store.fresh(fetched)
            room = target - results if plan_left is None else min(target - results, plan_left)
            enriched = await self._enrich(fresh, room, self.store.provenance(segment.adapter, place))
            blocked = enriched.blocked
            leaves = blocked is not None and self.segments.may_fail_over(blocked, self.lease)
            if blocked is not None and not leaves and self.lease.waits < MOST_PROFILE_WAITS:
                return decide(blocked, self.lease, self.settings)
            if self.segments.moved is not None:
                await tell_of_failover(self.pool, self.lease, self.segments.moved)
            try:
                with tracing.page(seq, segment.provider):
                    answer, segment.envelope = await self.store.store(segment.adapter, fetched, fresh, enriched, place)
            except AuthorityLost as error:
                return Decision(Ending.LOST, error.code, str(error))
            except PageRefused as error:
                return retry(error.code, str(error), self.lease, self.settings)
            if not answer.row_open:
                return Decision(Ending.OUTSIDE, "row_changed")
            pages += 1
            self.segments.stored()
            # The row is the truth: a repeated commit finds the page counted in it already.
            results = (answer.results_before or 0) + (answer.stored if answer.page_new else 0)
            target = answer.target_results or 0
            plan_left = answer.plan_left
            if answer.cancelled is not None:
                return cancelled(answer.cancelled)
            if answer.overdue and results < target:
                return _timed_out()
            if blocked is not None and leaves and results < target:
                # The page in hand is paid for and kept, with its creators marked; the rest is the next provider's.
                self.segments.fail_over(blocked, self.lease)

    def _reason_to_leave(self, started: float, pages: int) -> Decision | None:
        if not self.lease.held:
            return Decision(Ending.LOST, "lease_not_renewed")
        if self.lease.cancelled is not None:
            return cancelled(self.lease.cancelled)
        if self.work.deadline_at is not None and utc_now() >= self.work.deadline_at:
            return _timed_out()
        if self._calls_left() == 0:
            return Decision(Ending.COMPLETED, "call_limit")
        if self.stopping.is_set():
            return Decision(Ending.CONTINUE, "worker_stops")
        if pages >= self.settings.slice_pages or monotonic() - started >= self.settings.slice_seconds:
            return Decision(Ending.CONTINUE, "slice_ended")
        return None

    def _calls_left(self) -> int | None:
        """What the job's own limit leaves; None without one."""
        if self.query.max_api_calls is None:
            return None
        return max(self.query.max_api_calls - self.work.calls - self.store.meter.calls, 0)

    def _ended(self, results: int) -> Decision | None:
        """What to do when all walks have ended; None to go on with other walks.

        Nothing at all is no end to believe at once: the same search is asked again at a distance, then the next
        provider is, and only then the job is complete with nothing, and says so.
        """
        envelope = self.segments.current.envelope
        reason = _end_reason(envelope)
        if results > 0 or reason not in SUSPICIOUS_ENDS:
            return Decision(Ending.COMPLETED, reason)
        if not envelope.rechecked:
            distance = timedelta(seconds=self.settings.recheck_seconds)
            if (wait := envelope.issued_at + distance - utc_now()) > timedelta(0):
                return Decision(Ending.WAIT, "nothing_found", "a search with no result is asked again", wait)
            self.segments.begin_again()
            return None
        if self.segments.next_segment("nothing_found"):
            return None
        tell_of_nothing(self.lease, self.segments.asked, reason)
        return Decision(Ending.COMPLETED, "nothing_found")

    async def _fetch(self, walk: Walk) -> Page | Judgement:
        tracing.page_begins()
        segment = self.segments.current
        source = segment.adapter.sources.get(walk.source)
        if source is None:
            # A walk that another release began.
            return Page(ended=True, end_reason="unknown_source")

        def read(response: Response) -> tuple[Page, int]:
            page = source.parse(response, self.query, walk)
            return page, page.credits

        request = source.request(self.query, walk)
        called = await self.watch.call(segment.caller, source, segment.adapter.capability.version, request, read)
        if called.read is not None:
            return called.read.judgement or called.read
        if called.judgement.outcome in (Outcome.EMPTY_END, Outcome.NOT_FOUND, Outcome.SKIP_ITEM):
            return Page(ended=True, end_reason=called.judgement.rule)
        return called.judgement

    async def _enrich(self, fresh: dict[str, Item], room: int, provenance: Provenance) -> Enriched:
        segment = self.segments.current
        profiles = segment.adapter.profiles
        if profiles is None or self.query.enrich == "none" or not fresh:
            return NOTHING
        wanted = self.store.worth_a_profile(fresh, segment.adapter, provenance)
        return await enrich(
            self.pool,
            segment.caller,
            self.watch,
            profiles,
            segment.adapter.capability,
            wanted if self.query.filters.active else wanted[:room],
            max_age=timedelta(days=self.settings.profile_age_days),
            calls_at_once=self.settings.profile_calls,
            most_calls=self._calls_left(),
        )


def _timed_out() -> Decision:
    return Decision(
        Ending.TIMEOUT, "deadline", "timeout_at passed before the work was finished; what was found is kept"
    )


def _end_reason(envelope: Envelope) -> str:
    """Why the last walk ended: the one word that tells most about all of them."""
    reasons = {walk.end_reason or "exhausted" for walk in envelope.walks if walk.end_reason != OPENED}
    return next((one for one in SUSPICIOUS_ENDS if one in reasons), min(reasons, default="exhausted"))
