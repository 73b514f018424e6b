"""The one loop over a provider's pages: fetch, judge, dedupe, enrich, normalise, commit, go on."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

import msgspec
import structlog

from actors.calling import Caller
from actors.deciding import COOLING, decide, retry
from actors.enrichment import Enriched, enrich
from db.queries import claiming, lanes
from db.queries.claiming import ScrapingWork
from db.queries.committing import PageAnswer, PageWrite
from db.session import Pool, storable
from platforms import cursor as cursors
from platforms import paging
from platforms.contract import Adapter, Item, Page, Provenance, Query
from platforms.cursor import Envelope
from platforms.outcome import Judgement, Outcome
from worker.clock import monotonic, utc_now
from worker.committing import commit
from worker.errors import AuthorityLost, PageRefused, ShapeError
from worker.job_states import Decision, Ending, cancelled
from worker.leases import Lease
from worker.settings import Settings

log = structlog.get_logger()

LARGEST_INTEGER = 2_147_483_647
MOST_PROFILE_WAITS = 5
"""Waits in a row for a provider that refuses profiles but gives pages; then creators are stored without."""

RAW_LIMIT = 20_000
"""Characters of an unreadable item that are kept."""


class Stopping(Protocol):
    """Whether the process has been told to stop, e.g. a `threading.Event`."""

    def is_set(self) -> bool:
        """True from then on."""


@dataclass(slots=True)
class PageLoop:
    """One slice of one scraping job."""

    pool: Pool
    caller: Caller
    settings: Settings
    stopping: Stopping
    lease: Lease
    work: ScrapingWork
    query: Query
    adapter: Adapter

    async def run(self) -> Decision:
        """Work pages until there is a reason to leave; give that reason. Raises nothing that a provider can cause."""
        started = monotonic()
        envelope = cursors.resume(self.work.envelope, self.query, self.adapter, utc_now(), self.work.processed_runs)
        results, target, seq, pages = self.work.processed_results, self.work.target_results, self.work.seq, 0
        while True:
            index = cursors.next_walk(envelope)
            if results >= target:
                return Decision(Ending.COMPLETED, "target_reached")
            if index is None:
                return Decision(Ending.COMPLETED, _end_reason(envelope))
            if leaving := self._reason_to_leave(started, pages):
                return leaving
            fetched = await self._fetch(envelope, index)
            if isinstance(fetched, Decision):
                return fetched
            seq += 1
            fresh = await self._fresh(fetched)
            enriched = await self._enrich(list(fresh.values())[: target - results])
            if enriched.blocked is not None and self.lease.waits < MOST_PROFILE_WAITS:
                return await self._decide(enriched.blocked)
            try:
                answer, envelope = await self._store(fetched, fresh, enriched, envelope, index, seq)
            except AuthorityLost as error:
                return Decision(Ending.LOST, error.code, str(error))
            except PageRefused as error:
                return retry(error.code, str(error), self.lease, self.settings)
            if not answer.row_open:
                return Decision(Ending.OUTSIDE, "row_changed")
            pages += 1
            # The row is the truth: a repeated commit finds the page counted in it already.
            results = (answer.results_before or 0) + (answer.stored if answer.page_new else 0)
            target = answer.target_results or 0
            if answer.cancelled is not None:
                return cancelled(answer.cancelled)
            if answer.overdue and results < target:
                return _timed_out()

    def _reason_to_leave(self, started: float, pages: int) -> Decision | None:
        if not self.lease.held:
            return Decision(Ending.LOST, "lease_not_renewed")
        if self.lease.cancelled is not None:
            return cancelled(self.lease.cancelled)
        if self.work.deadline_at is not None and utc_now() >= self.work.deadline_at:
            return _timed_out()
        if self.stopping.is_set():
            return Decision(Ending.CONTINUE, "worker_stops")
        if pages >= self.settings.slice_pages or monotonic() - started >= self.settings.slice_seconds:
            return Decision(Ending.CONTINUE, "slice_ended")
        return None

    async def _fetch(self, envelope: Envelope, index: int) -> Page | Decision:
        walk = envelope.walks[index]
        called = await self.caller.call(self.adapter.request(self.query, walk.word, walk.cursor), self.adapter.judge)
        judgement = called.judgement
        if judgement.outcome in (Outcome.EMPTY_END, Outcome.NOT_FOUND, Outcome.SKIP_ITEM):
            return Page((), (), None, ended=True, credits=0)
        if called.response is not None and judgement.outcome is Outcome.OK:
            try:
                return self.adapter.parse(called.response, walk.cursor)
            except ShapeError as error:
                return retry(error.reason, str(error), self.lease, self.settings)
        return await self._decide(judgement)

    async def _decide(self, judgement: Judgement) -> Decision:
        """What to do about an answer that is not a page; what concerns every job of the lane cools the lane."""
        decision = decide(judgement, self.lease, self.settings)
        if judgement.outcome in COOLING and decision.ending is Ending.WAIT:
            async with self.pool.connection() as connection:
                await lanes.cool_down(connection, self.lease.lane, decision.delay, decision.detail or decision.reason)
        return decision

    async def _store(
        self, page: Page, fresh: dict[str, Item], enriched: Enriched, envelope: Envelope, index: int, seq: int
    ) -> tuple[PageAnswer, Envelope]:
        capability = self.adapter.capability
        walk = envelope.walks[index]
        here = cursors.with_walk(envelope, index, msgspec.structs.replace(walk, ordinal=walk.ordinal + 1))
        following = cursors.with_walk(envelope, index, paging.advance(walk, page, len(fresh)), utc_now())
        provenance = Provenance(capability.provider, capability.endpoint, capability.version, utc_now(), seq)
        answer = await commit(
            self.pool,
            self.lease,
            PageWrite(
                task_id=self.lease.task_id,
                token=self.lease.token,
                seq=seq,
                word=storable(walk.word),
                cursor=storable(str(walk.cursor)),
                cursor_shown=_shown(following, index, seq),
                items=len(page.items),
                unreadable=len(page.unreadable),
                credits=page.credits + enriched.credits,
                keys=list(fresh),
                docs=[self._document(item, enriched, provenance) for item in fresh.values()],
                envelope_here=cursors.encode(here).decode(),
                envelope_next=cursors.encode(following).decode(),
                ttl=self.settings.lease,
                provider=capability.provider,
                endpoint=capability.endpoint,
                adapter_version=capability.version,
                bad_reasons=[bad.reason for bad in page.unreadable],
                bad_messages=[storable(bad.message)[:500] for bad in page.unreadable],
                bad_raws=[storable(bad.raw[:RAW_LIMIT].decode(errors="replace")) for bad in page.unreadable],
            ),
        )
        log.info(
            "page_stored",
            seq=seq,
            word=walk.word,
            cursor=walk.cursor,
            items=len(page.items),
            stored=answer.stored,
            duplicates=answer.duplicates,
            unreadable=len(page.unreadable),
            credits=page.credits + enriched.credits,
            repeated=not answer.page_new,
        )
        return answer, here if answer.cut else following

    async def _fresh(self, page: Page) -> dict[str, Item]:
        """The page's items not stored yet, by dedupe key, in page order; the first of equal ones counts."""
        by_key: dict[str, Item] = {}
        for item in page.items:
            by_key.setdefault(item.creator_id if self.query.dedupe == "creator" else item.content_id, item)
        if not by_key:
            return by_key
        async with self.pool.connection() as connection:
            seen = await claiming.seen_keys(connection, self.lease.task_id, list(by_key))
        return {key: item for key, item in by_key.items() if key not in seen}

    async def _enrich(self, items: list[Item]) -> Enriched:
        if self.adapter.profiles is None or self.query.enrich == "none" or not items:
            return Enriched({}, 0)
        capability = self.adapter.capability
        return await enrich(
            self.pool,
            self.caller,
            self.adapter.profiles,
            capability.platform,
            capability.provider,
            items,
            max_age=timedelta(days=self.settings.profile_age_days),
            calls_at_once=self.settings.profile_calls,
        )

    def _document(self, item: Item, enriched: Enriched, provenance: Provenance) -> str:
        status = "skipped"
        if item.creator_id in enriched.profiles:
            status = "failed" if enriched.profiles[item.creator_id] is None else "completed"
        profile = enriched.profiles.get(item.creator_id)
        return msgspec.json.encode(self.adapter.normalise(item, profile, status, provenance)).decode()


def _timed_out() -> Decision:
    return Decision(
        Ending.TIMEOUT, "deadline", "timeout_at passed before the work was finished; what was found is kept"
    )


def _end_reason(envelope: Envelope) -> str:
    """Why the last walk ended: the one word that tells most about all of them."""
    reasons = {walk.end_reason or "exhausted" for walk in envelope.walks}
    return "exhausted" if "exhausted" in reasons else min(reasons)


def _shown(envelope: Envelope, index: int, seq: int) -> int:
    """What the application's integer ``cursor`` shows: the walk's own where it is one, else the page ordinal."""
    value = envelope.walks[index].cursor
    return min(value, LARGEST_INTEGER) if isinstance(value, int) else seq
