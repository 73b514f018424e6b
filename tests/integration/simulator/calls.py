"""Calls that tests make at a simulator by hand."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx

from platforms.simulator.settings import SEARCH_PATH

ROOT = Path(__file__).resolve().parents[3]
SAMPLES = ROOT.parent / "shared" / "samples" / "scrapecreators"


def asking(url: str, key: str = "good") -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=url, headers={"x-api-key": key}, timeout=20)


async def search(http: httpx.AsyncClient, cursor: int = 0, query: str = "tea") -> httpx.Response:
    return await http.get(SEARCH_PATH, params={"query": query, "cursor": cursor})


async def walk(http: httpx.AsyncClient, query: str = "tea") -> list[dict[str, Any]]:
    """Every page with items, following the answers' cursors."""
    pages, cursor = [], 0
    while "search_item_list" in (page := (await search(http, cursor, query)).raise_for_status().json()):
        pages.append(page)
        cursor = page["cursor"]
    return pages


def infos(*pages: dict[str, Any]) -> list[dict[str, Any]]:
    return [item["aweme_info"] for page in pages for item in page["search_item_list"]]


@asynccontextmanager
async def in_background(coroutine: Coroutine[Any, Any, httpx.Response]) -> AsyncIterator[asyncio.Task[httpx.Response]]:
    """A call made in the background, which is over when the block is."""
    task = asyncio.create_task(coroutine)
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
