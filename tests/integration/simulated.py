"""The product's own adapters against a simulator, through the real transport."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec

from actors.providers import Providers
from platforms.contract import Adapter, Query
from platforms.outcome import Outcome
from platforms.pages import Item, Page, Walk
from platforms.registry import find
from tests.fleet import every_provider
from worker.settings import load_settings

LOOK_SECONDS = 0.02


@asynccontextmanager
async def providers_at(url: str) -> AsyncIterator[Providers]:
    """Every provider as a worker reaches it, at the simulator."""
    providers = Providers(load_settings(**every_provider(url)))
    try:
        yield providers
    finally:
        await providers.aclose()


def adapter_of(platform: str, kind: str, provider: str) -> Adapter:
    """One adapter of the registry."""
    (found,) = find(platform, kind, [provider])
    return found


async def page_of(providers: Providers, adapter: Adapter, query: Query, walk: Walk) -> Page:
    """The walk's next page; asked again while it is not ready."""
    source = adapter.sources[walk.source]
    transport = providers.of(adapter.capability.provider)
    while True:
        response = await transport.fetch(source.request(query, walk))
        judgement = source.judge(response)
        assert judgement.outcome is Outcome.OK, (judgement, response.body[:300])
        page = source.parse(response, query, walk)
        if page.not_ready is None:
            return page
        await asyncio.sleep(LOOK_SECONDS)


async def walked(providers: Providers, adapter: Adapter, query: Query) -> list[Item]:
    """All items of a job, walk by walk to its end."""
    items: list[Item] = []
    walks = list(adapter.starts(query))
    while walks:
        walk, going = walks.pop(0), True
        while going:
            page = await page_of(providers, adapter, query, walk)
            assert not page.unreadable
            assert page.judgement is None, page.judgement
            items += page.items
            walks += page.walks
            walk = msgspec.structs.replace(
                walk,
                cursor=page.next_cursor,
                ordinal=walk.ordinal + 1,
                start=walk.start if page.start is None else page.start,
            )
            going = not page.ended
    return items


def ids_of(items: list[Item]) -> set[str]:
    """The creators' ids."""
    return {item.creator_id for item in items if item.creator_id}
