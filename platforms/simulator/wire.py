"""Faults of the connection, and holding an answer back. These are ASGI answers, since they misuse the protocol."""

import asyncio
from collections.abc import AsyncIterator, Callable

import msgspec
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from platforms.simulator.calls import Answer
from platforms.simulator.faults import Fault, FaultKind

_CHUNK_BYTES = 1 << 16

_SLOW_PIECES = 20

WIRE_FAULTS = frozenset(
    {FaultKind.STATUS, FaultKind.HTML, FaultKind.EMPTY, FaultKind.HUGE, FaultKind.HANG, FaultKind.DROP}
)
"""Faults that need no good answer and therefore charge nothing. ``drop`` has status 0 in the list of calls."""


def response_of(answer: Answer) -> Response:
    """An answer as Starlette sends it."""
    return Response(answer.body, answer.status, dict(answer.headers), answer.media_type)


def wire_fault(fault: Fault, connections: "Connections", own: Callable[[int], Answer]) -> tuple[int, Response]:
    """The status that is logged and the answer of one of `WIRE_FAULTS`; ``own`` is the provider's word for a status."""
    match fault.kind:
        case FaultKind.STATUS:
            return fault.status, _status(fault, own)
        case FaultKind.EMPTY:
            return 200, Response(b"", 200, media_type="application/json")
        case FaultKind.HTML:
            page = "<!DOCTYPE html>\n<html><head><title>One moment</title></head><body>Checking ...</body></html>\n"
            return 200, Response(page, 200, media_type="text/html")
        case FaultKind.HUGE:
            return 200, StreamingResponse(_spaces(fault.bytes), media_type="application/json")
        case FaultKind.HANG:
            return 200, _Hang()
        case _:
            return 0, _Drop(connections)


def slowly(answer: Answer, seconds: float) -> Response:
    """A good answer whose body comes in pieces, over this time."""

    async def pieces() -> AsyncIterator[bytes]:
        size = max(1, len(answer.body) // _SLOW_PIECES)
        for start in range(0, len(answer.body), size):
            yield answer.body[start : start + size]
            await asyncio.sleep(seconds / _SLOW_PIECES)

    return StreamingResponse(pieces(), answer.status, dict(answer.headers), answer.media_type)


def _status(fault: Fault, own: Callable[[int], Answer]) -> Response:
    if isinstance(fault.body, str):
        return Response(fault.body, fault.status, fault.headers, "text/plain")
    if fault.body is not None:
        return Response(msgspec.json.encode(fault.body), fault.status, fault.headers, "application/json")
    answer = own(fault.status)
    return Response(answer.body, fault.status, {**answer.headers, **fault.headers}, answer.media_type)


async def _spaces(length: int) -> AsyncIterator[bytes]:
    # Valid JSON to its end, so only a cap on the size can refuse it.
    opening, closing = b'{"search_item_list":[', b"]}"
    yield opening
    remaining = length - len(opening) - len(closing)
    chunk = b" " * _CHUNK_BYTES
    while remaining > 0:
        yield chunk[:remaining]
        remaining -= _CHUNK_BYTES
    yield closing


class Connections:
    """The open connections by the client's address, so that one can be cut. Filled by the server's protocol."""

    def __init__(self) -> None:
        self.by_client: dict[tuple[str, int], asyncio.Transport] = {}


class Gate:
    """Holds answers until it is opened, and tells how many it holds."""

    def __init__(self) -> None:
        self._held: set[asyncio.Event] = set()
        self._changed = asyncio.Condition()

    @property
    def waiting(self) -> int:
        """How many answers are held now."""
        return len(self._held)

    def open(self) -> int:
        """Let go of the answers that are held now, and return how many. Later ones are held again."""
        released = [event for event in self._held if not event.is_set()]
        for event in released:
            event.set()
        self._held.clear()
        return len(released)

    async def hold(self, receive: Receive) -> bool:
        """Wait for the gate; False when the client left first."""
        opened = asyncio.Event()
        self._held.add(opened)
        async with self._changed:
            self._changed.notify_all()
        waits = [asyncio.ensure_future(opened.wait()), asyncio.ensure_future(_client_left(receive))]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._held.discard(opened)
            for wait in waits:
                wait.cancel()
        return opened.is_set()

    async def until_holding(self, calls: int, timeout_seconds: float) -> int:
        """Wait until at least ``calls`` answers are held, or the time is over; the number held then."""
        try:
            async with asyncio.timeout(timeout_seconds), self._changed:
                await self._changed.wait_for(lambda: self.waiting >= calls)
        except TimeoutError:
            pass
        return self.waiting


class Held(Response):
    """An answer that leaves only when the gate opens."""

    def __init__(self, answer: Answer, gate: Gate) -> None:
        super().__init__(answer.body, answer.status, dict(answer.headers), answer.media_type)
        self._gate = gate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Wait, then send."""
        if await self._gate.hold(receive):
            await super().__call__(scope, receive, send)


class _Hang(Response):
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = [(b"content-type", b"application/json"), (b"content-length", b"1000000")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await _client_left(receive)


class _Drop(Response):
    def __init__(self, connections: Connections) -> None:
        super().__init__()
        self._connections = connections

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        transport = self._connections.by_client.get(tuple(scope["client"] or ("", 0)))
        if transport is None:
            raise ConnectionResetError("The simulator closes this connection without an answer.")
        transport.abort()
        await _client_left(receive)


async def _client_left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
