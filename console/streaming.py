"""Server-sent events: a page's pieces, sent again whenever they have changed."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Final

import psycopg
import structlog
from fastapi import HTTPException, Request
from sse_starlette.event import ServerSentEvent
from sse_starlette.sse import EventSourceResponse

from worker.clock import monotonic

log = structlog.get_logger()

MOST: Final = 64
"""Streams of one process; each asks the database once a pause."""

LONGEST_SECONDS: Final = 600.0
"""After this the browser connects again, so that a session that has ended is noticed."""

Look = Callable[[], Awaitable[Mapping[str, str]]]
"""Gives the pieces as they are now, by the names of their events."""


def stream(request: Request, look: Look, pause: float) -> EventSourceResponse:
    """An answer that looks every ``pause`` seconds and sends what has changed. Refuses when there are too many."""
    streams: set[object] = request.app.state.streams
    if len(streams) >= MOST:
        raise HTTPException(503, f"{MOST} pages are open already; close some, or reload by hand")
    return EventSourceResponse(_changes(request, streams, look, pause), ping=15)


async def _changes(request: Request, streams: set[object], look: Look, pause: float) -> AsyncIterator[ServerSentEvent]:
    mine = object()
    streams.add(mine)
    end = monotonic() + LONGEST_SECONDS
    sent: dict[str, str] = {}
    try:
        while monotonic() < end and not await request.is_disconnected():
            try:
                pieces = await look()
            except psycopg.Error as error:
                log.info("console_stream_waits", path=request.url.path, error=str(error).strip())
                pieces = {}
            for name, html in pieces.items():
                if sent.get(name) != html:
                    sent[name] = html
                    yield ServerSentEvent(html, event=name)
            await asyncio.sleep(pause)
    finally:
        streams.discard(mine)
