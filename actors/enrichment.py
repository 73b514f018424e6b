"""Fills thin search results with profiles: from the store while young, else by one paid call a creator."""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

import msgspec
import structlog

from actors.calling import Called, Caller
from actors.claims import Claims
from actors.shape_watch import ShapeWatch
from db.queries import profiles as stored
from db.session import Pool
from platforms.contract import Capability, ProfileAdapter
from platforms.outcome import Judgement, Outcome
from platforms.pages import Item
from platforms.profile import Profile
from worker.clock import monotonic
from worker.limits.contract import Hindrance

log = structlog.get_logger()

_DECODER = msgspec.json.Decoder(Profile)
GONE = {Outcome.NOT_FOUND, Outcome.SKIP_ITEM}
BLOCKED = {Outcome.RATE_LIMITED, Outcome.FIX_CONFIGURATION, Outcome.WAIT, Outcome.FAIL_OVER}
"""Outcomes that concern every call to the provider, not this creator alone."""

PATIENCE_SECONDS = 20.0
"""How long look-ups wait for their turn: the page in hand is paid for, and would be asked for again."""

OTHERS_SECONDS = 30.0
"""How long a creator is waited for that somebody else looks up; then it is paid for here too."""

LOOK_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Enriched:
    """Profiles by `Item.key`, None where the call failed.

    ``blocked`` tells that the provider refuses calls at present; what was fetched before is kept.
    """

    profiles: dict[str, Profile | None]
    blocked: Judgement | None = None

    def status_of(self, item: Item) -> str:
        """The ``enhancementStatus`` of an item's creator."""
        if item.key not in self.profiles:
            return "skipped"
        return "failed" if self.profiles[item.key] is None else "completed"


NOTHING = Enriched({})


async def enrich(
    pool: Pool,
    caller: Caller,
    watch: ShapeWatch,
    adapter: ProfileAdapter,
    capability: Capability,
    items: Sequence[Item],
    *,
    max_age: timedelta,
    calls_at_once: int,
    most_calls: int | None = None,
) -> Enriched:
    """Profiles of these items' creators, each looked up once, whoever else meets the same creators at the same time.

    What was paid for is kept before the page is committed, so a worker that dies in between has not paid in vain.
    ``most_calls`` is what the job's own limit leaves; creators beyond it are left as they are.
    """
    look_ups = _LookUps(pool, caller, watch, adapter, capability, max_age, calls_at_once, most_calls)
    by_key = {item.key: item for item in items}
    await look_ups.recall(by_key)
    open_ = {key: item for key, item in by_key.items() if key not in look_ups.found and adapter.wanted(item)}
    if not open_:
        return Enriched(look_ups.found)
    others_until = monotonic() + OTHERS_SECONDS
    async with Claims(pool, capability.platform, adapter.provider) as claims:
        while open_:
            mine = await claims.take(open_) if monotonic() < others_until else set(open_)
            # Somebody may have looked them up and let go of them just before.
            known = await look_ups.recall(mine)
            asked = [item for key, item in open_.items() if key in mine - known]
            documents = await look_ups.ask(asked)
            await claims.keep(documents, mine)
            await look_ups.recall(open_.keys() - mine)
            open_ = {key: item for key, item in open_.items() if key not in mine and key not in look_ups.found}
            if open_ and (look_ups.blocked is not None or look_ups.calls_left == 0):
                break
            if open_:
                await asyncio.sleep(LOOK_SECONDS)
    if look_ups.blocked is not None:
        look_ups.found |= dict.fromkeys(open_)
    return Enriched(look_ups.found, look_ups.blocked)


@dataclass(slots=True)
class _LookUps:
    """The look-ups of one page."""

    pool: Pool
    caller: Caller
    watch: ShapeWatch
    adapter: ProfileAdapter
    capability: Capability
    max_age: timedelta
    calls_at_once: int
    calls_left: int | None
    found: dict[str, Profile | None] = field(default_factory=dict)
    blocked: Judgement | None = None
    patient_until: float = field(default_factory=lambda: monotonic() + PATIENCE_SECONDS)

    async def recall(self, keys: Iterable[str]) -> set[str]:
        """Take over what the store has of these creators; give their keys."""
        asked = list(keys)
        if not asked:
            return set()
        async with self.pool.connection() as connection:
            kept = await stored.young_profiles(connection, self.capability.platform, asked, self.max_age)
        self.found |= {key: _DECODER.decode(document) for key, document in kept.items()}
        return set(kept)

    async def ask(self, items: Sequence[Item]) -> dict[str, str]:
        """Look creators up; give the profiles that are worth keeping, as JSON text."""
        most = self.adapter.most
        batches = [items[start : start + most] for start in range(0, len(items), most)][: self.calls_left]
        if self.calls_left is not None:
            self.calls_left -= len(batches)
        places = asyncio.Semaphore(self.calls_at_once)
        answers = await asyncio.gather(*(self._call(batch, places) for batch in batches))
        documents: dict[str, str] = {}
        for batch, called in zip(batches, answers, strict=True):
            if called.judgement.rule == Hindrance.CREDIT_LIMIT:
                # As with the limit of calls: those beyond it stay as they are, and the job ends after its page.
                continue
            profiles = _told(batch, called)
            self.found |= profiles
            documents |= {
                key: msgspec.json.encode(profile).decode() for key, profile in profiles.items() if profile is not None
            }
        blocks = [called.judgement for called in answers if _blocks(called.judgement)]
        # The provider's own word says more than that of a limit which heard it meanwhile.
        self.blocked = min(blocks, key=lambda judgement: judgement.rule in set(Hindrance), default=None)
        return documents

    async def _call(self, batch: Sequence[Item], places: asyncio.Semaphore) -> Called[dict[str, Profile]]:
        async with places:
            while True:
                called = await self.watch.call(
                    self.caller,
                    self.adapter,
                    self.capability.version,
                    self.adapter.request(batch),
                    lambda answer: self.adapter.parse(answer, batch),
                )
                wait = called.judgement.wait
                if (
                    not _too_fast(called.judgement)
                    or wait is None
                    or monotonic() + wait.total_seconds() > self.patient_until
                ):
                    return called
                await asyncio.sleep(wait.total_seconds())


def _too_fast(judgement: Judgement) -> bool:
    return judgement.outcome is Outcome.RATE_LIMITED or judgement.rule == Hindrance.RATE


def _blocks(judgement: Judgement) -> bool:
    return judgement.outcome in BLOCKED and judgement.rule != Hindrance.CREDIT_LIMIT


def _told(batch: Sequence[Item], called: Called[dict[str, Profile]]) -> dict[str, Profile | None]:
    """What one call tells of each creator it asked for."""
    if called.read is not None:
        return {item.key: called.read.get(item.key, Profile(status="gone")) for item in batch}
    if called.judgement.outcome in GONE:
        return {item.key: Profile(status="gone") for item in batch}
    log.warning("profile_failed", creators=len(batch), reason=called.judgement.rule, detail=called.judgement.message)
    return {item.key: None for item in batch}
