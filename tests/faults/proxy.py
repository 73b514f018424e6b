"""A TCP proxy on loopback before Postgres: loses replies, goes silent, refuses, and heals again.

It looks at bytes alone: a statement is known by a piece of its text, the end of its reply by Postgres' message "ready
for query, no transaction open". So the connection must be plain TCP and in autocommit, as the product's is.
"""

import asyncio
import contextlib
import threading
from collections.abc import Coroutine, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import urlsplit

from db.session import driver_url

READY = b"Z\x00\x00\x00\x05I"
CHUNK = 65536
WINDOW = 1000
"""Bytes before the newest of one statement in which its text may begin."""
T = TypeVar("T")


@dataclass(eq=False)
class Link:
    """One client's connection and its way to the server."""

    client: asyncio.StreamWriter
    server: asyncio.StreamWriter | None = None
    before: bytes = b""
    reply: bytes | None = None
    """The end of the reply that is being swallowed; None when none is."""

    def cut(self) -> None:
        for writer in (self.client, self.server):
            if writer is not None:
                writer.transport.abort()


@dataclass
class Proxy:
    """``url`` leads through it. The methods may be called from any thread and have done their work when they return."""

    target: str
    url: str = ""
    swallowed: int = 0
    """Replies that were lost, each after the server had done the statement."""
    _text: bytes = b""
    _left: int = 0
    _silent_at: bytes = b""
    _links: set[Link] = field(default_factory=set)
    _tasks: set["asyncio.Task[None]"] = field(default_factory=set)

    def swallow_replies(self, text: str, times: int = 1) -> None:
        """Let the next statements with this text be done, lose their replies and cut their connections."""
        self._run(self._plan(text.encode(), times))

    def silence(self, at: str = "") -> None:
        """Let nothing through any more, in either direction; connections are accepted and never answered.

        With ``at``, from the next statement with this text on, which is held back itself.
        """
        self._run(self._silence(at.encode()))

    def refuse(self) -> None:
        """Cut every connection and let none in."""
        self._run(self._refuse())

    def cut(self) -> None:
        """Cut every connection; new ones are let in."""
        self._run(self._cut())

    def heal(self) -> None:
        """Let everything through; what was held back arrives now, however late."""
        self._run(self._heal())

    def start(self) -> None:
        """Listen, in a thread and event loop of its own."""
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)
        self._thread.start()
        self._run(self._open())

    def stop(self) -> None:
        """Cut everything and end."""
        self._run(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def _open(self) -> None:
        self._through = asyncio.Event()
        self._through.set()
        target = urlsplit(driver_url(self.target))
        self._address = (target.hostname or "127.0.0.1", target.port or 5432)
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self._port = self._server.sockets[0].getsockname()[1]
        account = target.netloc.rpartition("@")[0]
        self.url = target._replace(
            netloc=f"{account}@127.0.0.1:{self._port}", query="sslmode=disable&gssencmode=disable"
        ).geturl()

    async def _plan(self, text: bytes, times: int) -> None:
        self._text, self._left = text, times

    async def _silence(self, at: bytes) -> None:
        self._silent_at = at
        if not at:
            self._through.clear()

    async def _cut(self) -> None:
        for link in list(self._links):
            link.cut()

    async def _refuse(self) -> None:
        self._server.close()
        await self._cut()

    async def _heal(self) -> None:
        if not self._server.is_serving():
            self._server = await asyncio.start_server(self._accept, "127.0.0.1", self._port)
        self._silent_at = b""
        self._through.set()

    async def _close(self) -> None:
        self._server.close()
        await self._cut()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        # Transports that were aborted close at the loop's next rounds.
        for _ in range(3):
            await asyncio.sleep(0)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        link = Link(writer)
        self._links.add(link)
        try:
            await self._through.wait()
            answers, link.server = await asyncio.open_connection(*self._address)
            ways = [
                asyncio.ensure_future(self._up(link, reader, link.server)),
                asyncio.ensure_future(self._down(link, answers)),
            ]
            try:
                await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for way in ways:
                    way.cancel()
                await asyncio.gather(*ways, return_exceptions=True)
        except OSError:
            pass  # the server is away: the client sees its connection end
        except asyncio.CancelledError:
            pass
        finally:
            link.cut()
            self._links.discard(link)
            self._tasks.discard(task)

    async def _up(self, link: Link, reader: asyncio.StreamReader, server: asyncio.StreamWriter) -> None:
        while data := await reader.read(CHUNK):
            seen = link.before + data
            if self._silent_at and self._silent_at in seen:
                self._through.clear()
            await self._through.wait()
            if self._left and self._text in seen:
                self._left -= 1
                link.reply = b""
            link.before = b"" if link.reply is not None else seen[-WINDOW:]
            server.write(data)
            await server.drain()

    async def _down(self, link: Link, answers: asyncio.StreamReader) -> None:
        while data := await answers.read(CHUNK):
            await self._through.wait()
            if link.reply is None:
                if data.endswith(READY):
                    link.before = b""
                link.client.write(data)
                await link.client.drain()
                continue
            link.reply = (link.reply + data)[-len(READY) :]
            if link.reply == READY:
                self.swallowed += 1
                return


@contextlib.contextmanager
def proxied(database_url: str) -> Iterator[Proxy]:
    """A proxy before the server of this URL."""
    proxy = Proxy(database_url)
    proxy.start()
    try:
        yield proxy
    finally:
        proxy.stop()
