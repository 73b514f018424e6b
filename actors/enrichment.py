"""Fills thin search results with profiles: from the store while young, else by one paid call a creator."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import msgspec
import structlog

from actors.calling import Caller
from db.queries import profiles as stored
from db.session import Pool
from platforms.contract import Item, Profile, ProfileAdapter
from platforms.outcome import Judgement, Outcome
from worker.errors import ShapeError

log = structlog.get_logger()

_DECODER = msgspec.json.Decoder(Profile)
GONE = {Outcome.NOT_FOUND, Outcome.SKIP_ITEM}


BLOCKED = {Outcome.RATE_LIMITED, Outcome.FIX_CONFIGURATION}
"""Outcomes that concern every call to the provider, not this creator alone."""


@dataclass(frozen=True, slots=True)
class Enriched:
    """Profiles by creator id, None where the call failed, and what the calls cost in credits.

    ``blocked`` tells that the provider refuses calls at present; what was fetched before is kept.
    """

    profiles: dict[str, Profile | None]
    credits: int
    blocked: Judgement | None = None


@dataclass(frozen=True, slots=True)
class _LookedUp:
    creator_id: str
    profile: Profile | None
    credits: int
    blocked: Judgement | None = None


async def enrich(
    pool: Pool,
    caller: Caller,
    adapter: ProfileAdapter,
    platform: str,
    provider: str,
    items: Sequence[Item],
    *,
    max_age: timedelta,
    calls_at_once: int,
) -> Enriched:
    """Profiles of these items' creators, each looked up once.

    What was paid for is kept before the page is committed, so a worker that dies in between has not paid in vain.
    """
    by_id = {item.creator_id: item for item in items}
    async with pool.connection() as connection:
        kept = await stored.young_profiles(connection, platform, list(by_id), max_age)
    found: dict[str, Profile | None] = {creator_id: _DECODER.decode(document) for creator_id, document in kept.items()}
    places = asyncio.Semaphore(calls_at_once)

    async def look_up(item: Item) -> _LookedUp:
        async with places:
            return await _look_up(caller, adapter, item)

    missing = [item for creator_id, item in by_id.items() if creator_id not in found and item.handle]
    answers = await asyncio.gather(*map(look_up, missing))
    fresh = {answer.creator_id: answer.profile for answer in answers if answer.profile is not None}
    if fresh:
        async with pool.connection() as connection:
            documents = {creator_id: msgspec.json.encode(profile).decode() for creator_id, profile in fresh.items()}
            await stored.keep_profiles(connection, platform, provider, documents)
    found |= {answer.creator_id: answer.profile for answer in answers}
    blocked = next((answer.blocked for answer in answers if answer.blocked), None)
    return Enriched(found, sum(answer.credits for answer in answers), blocked)


async def _look_up(caller: Caller, adapter: ProfileAdapter, item: Item) -> _LookedUp:
    called = await caller.call(adapter.request(item.handle), adapter.judge)
    judgement = called.judgement
    if judgement.outcome in GONE:
        return _LookedUp(item.creator_id, Profile(status="gone"), adapter.credits)
    if called.response is None or judgement.outcome is not Outcome.OK:
        log.warning("profile_failed", creator=item.creator_id, reason=judgement.rule, detail=judgement.message)
        return _LookedUp(item.creator_id, None, 0, judgement if judgement.outcome in BLOCKED else None)
    try:
        profile, credits_spent = adapter.parse(called.response)
    except ShapeError as error:
        log.warning("profile_failed", creator=item.creator_id, reason=error.reason, detail=str(error))
        return _LookedUp(item.creator_id, None, adapter.credits)
    return _LookedUp(item.creator_id, profile, credits_spent)
