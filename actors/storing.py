"""From a page's items to its commit: what is new, what passes the filters, what it says of itself."""

from collections.abc import Mapping
from dataclasses import dataclass

import msgspec
import structlog

from actors.enrichment import Enriched
from actors.metering import Meter
from db.queries import claiming
from db.queries.committing import PageAnswer, PageWrite
from db.session import Pool, storable
from platforms import cursor as cursors
from platforms import paging
from platforms.contract import Adapter, Query
from platforms.cursor import Envelope
from platforms.filters import may_pass, passes
from platforms.normalise.facts import Document
from platforms.pages import Item, Page
from platforms.profile import Profile, Provenance
from worker.clock import utc_now
from worker.committing import commit
from worker.leases import Lease
from worker.metrics import counting
from worker.redaction import redact

log = structlog.get_logger()

LARGEST_INTEGER = 2_147_483_647
RAW_LIMIT = 200_000
"""Bytes of an unreadable item that are kept; the largest item recorded had 90,000."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page stands: the envelope it was asked from, which walk, and its number in the job's ledger."""

    envelope: Envelope
    index: int
    seq: int


@dataclass(frozen=True, slots=True)
class PageStore:
    """Stores one job's pages."""

    pool: Pool
    lease: Lease
    query: Query
    meter: Meter
    by_handle_too: bool
    """Whether creators are also known by their handle, as another provider may not tell the stable id."""
    unplanned: int = -1
    """Creators a month of a user of whom no plan is known; -1 is no limit."""

    def provenance(self, adapter: Adapter, place: Place) -> Provenance:
        """What each creator of the page says of where it came from."""
        capability = adapter.capability
        endpoint = adapter.sources[place.envelope.walks[place.index].source].endpoint
        return Provenance(capability.provider, endpoint, capability.version, utc_now(), place.seq)

    async def fresh(self, page: Page) -> dict[str, Item]:
        """The page's items not stored yet, by dedupe key, in page order; the first of equal ones counts."""
        by_key: dict[str, Item] = {}
        for item in page.items:
            by_key.setdefault(item.key if self.query.dedupe == "creator" else item.content_id, item)
        if not by_key:
            return by_key
        aliases = {key: self._alias(key, item) for key, item in by_key.items()}
        asked = list(by_key.keys() | {alias for alias in aliases.values() if alias})
        async with self.pool.connection() as connection:
            seen = await claiming.seen_keys(connection, self.lease.task_id, asked)
        return {key: item for key, item in by_key.items() if key not in seen and aliases[key] not in seen}

    def worth_a_profile(self, fresh: Mapping[str, Item], adapter: Adapter, provenance: Provenance) -> list[Item]:
        """Those that may still pass the filters once more is known of them."""
        filters = self.query.filters
        if not filters.active:
            return list(fresh.values())
        thin = ((item, adapter.normalise(item, None, "skipped", provenance)) for item in fresh.values())
        return [item for item, document in thin if may_pass(filters, document.facts())]

    async def store(
        self, adapter: Adapter, page: Page, fresh: Mapping[str, Item], enriched: Enriched, place: Place
    ) -> tuple[PageAnswer, Envelope]:
        """Commit the page; give what it changed and the envelope to go on with.

        Raises `AuthorityLost` and `PageRefused` as `worker.committing.commit` does.
        """
        walk = place.envelope.walks[place.index]
        provenance = self.provenance(adapter, place)
        here = cursors.with_walk(place.envelope, place.index, msgspec.structs.replace(walk, ordinal=walk.ordinal + 1))
        following = cursors.with_walk(
            place.envelope, place.index, paging.advance(walk, page, len(fresh)), utc_now(), page.walks
        )
        documents = [self._kept(adapter, item, enriched, provenance) for item in fresh.values()]
        aliases = [self._alias(key, item) for key, item in fresh.items()]
        spends = self.meter.open()
        answer = await commit(
            self.pool,
            self.lease,
            PageWrite(
                job_table=self.lease.job_table,
                task_id=self.lease.task_id,
                token=self.lease.token,
                seq=place.seq,
                word=storable(walk.word),
                cursor=storable(str(walk.cursor)),
                cursor_shown=_shown(following, place.index, place.seq),
                items=len(page.items),
                unreadable=len(page.unreadable),
                dropped=page.dropped,
                credits=sum(spend.credits for spend in spends),
                keys=list(fresh),
                aliases=aliases,
                docs=documents,
                envelope_here=cursors.encode(here).decode(),
                envelope_next=cursors.encode(following).decode(),
                ttl=self.lease.ttl,
                provider=provenance.provider,
                endpoint=provenance.endpoint,
                adapter_version=provenance.adapter_version,
                bad_reasons=[bad.reason for bad in page.unreadable],
                bad_messages=[storable(redact(bad.message))[:500] for bad in page.unreadable],
                bad_raws=[storable(redact(bad.raw[:RAW_LIMIT].decode(errors="replace"))) for bad in page.unreadable],
                bad_cuts=[len(bad.raw) > RAW_LIMIT for bad in page.unreadable],
                walk=storable(msgspec.json.encode(walk).decode()),
                run_id=page.run_id,
                unplanned=self.unplanned,
                spends=spends,
            ),
        )
        if answer.row_open:
            self.meter.written(spends)
            counting.page_stored(
                adapter.capability.platform,
                provenance.provider,
                provenance.endpoint,
                answer,
                items=len(page.items),
                fresh=len(fresh),
                unreadable=len(page.unreadable),
            )
        log.info(
            "page_stored",
            seq=place.seq,
            provider=provenance.provider,
            endpoint=provenance.endpoint,
            word=walk.word,
            cursor=walk.cursor,
            items=len(page.items),
            stored=answer.stored,
            duplicates=answer.duplicates,
            filtered=answer.filtered,
            dropped=page.dropped,
            unreadable=len(page.unreadable),
            repeated=not answer.page_new,
        )
        return answer, here if answer.cut else following

    def _kept(self, adapter: Adapter, item: Item, enriched: Enriched, provenance: Provenance) -> str | None:
        """The creator JSON; None for one that the job's filters leave out."""
        profile: Profile | None = enriched.profiles.get(item.key)
        document: Document = adapter.normalise(item, profile, enriched.status_of(item), provenance)
        if self.query.filters.active and not passes(self.query.filters, document.facts(), utc_now()):
            return None
        return msgspec.json.encode(document).decode()

    def _alias(self, key: str, item: Item) -> str:
        """The handle as a second dedupe key; "" where there is no need of one."""
        alias = f"@{item.handle.casefold()}" if item.handle else ""
        return alias if self.by_handle_too and self.query.dedupe == "creator" and alias != key else ""


def _shown(envelope: Envelope, index: int, seq: int) -> int:
    """What the application's integer ``cursor`` shows: the walk's own where it is one, else the page ordinal."""
    value = envelope.walks[index].cursor
    return min(value, LARGEST_INTEGER) if isinstance(value, int) else seq
