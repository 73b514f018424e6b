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
from platforms.outcome import Outcome
from worker.errors import ShapeError

log = structlog.get_logger()

_DECODER = msgspec.json.Decoder(Profile)
GONE = {Outcome.NOT_FOUND, Outcome.SKIP_ITEM}


@dataclass(frozen=True, slots=True)
class Enriched:
    """Profiles by creator id, None where the call failed, and what the calls cost in credits."""

    profiles: dict[str, Profile | None]
    credits: int


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

    async def look_up(item: Item) -> tuple[str, Profile | None, int]:
        async with places:
            profile, credits_spent = await _look_up(caller, adapter, item.handle)
        return item.creator_id, profile, credits_spent

    missing = [item for creator_id, item in by_id.items() if creator_id not in found and item.handle]
    answers = await asyncio.gather(*map(look_up, missing))
    fresh = {creator_id: profile for creator_id, profile, _ in answers if profile is not None}
    if fresh:
        async with pool.connection() as connection:
            documents = {creator_id: msgspec.json.encode(profile).decode() for creator_id, profile in fresh.items()}
            await stored.keep_profiles(connection, platform, provider, documents)
    found |= {creator_id: profile for creator_id, profile, _ in answers}
    return Enriched(found, sum(credits_spent for *_, credits_spent in answers))


async def _look_up(caller: Caller, adapter: ProfileAdapter, handle: str) -> tuple[Profile | None, int]:
    called = await caller.call(adapter.request(handle), adapter.judge)
    if called.judgement.outcome in GONE:
        return Profile(status="gone"), adapter.credits
    if called.response is None or called.judgement.outcome is not Outcome.OK:
        log.warning("profile_failed", handle=handle, reason=called.judgement.rule, detail=called.judgement.message)
        return None, 0
    try:
        return adapter.parse(called.response)
    except ShapeError as error:
        log.warning("profile_failed", handle=handle, reason=error.reason, detail=str(error))
        return None, adapter.credits
