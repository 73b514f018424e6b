"""One poller for all who watch jobs: a statement each half second, however many listen, and none while nobody does."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, Final

import psycopg
import structlog
from psycopg import AsyncConnection

from db.queries.api_progress import Standing, standings

log = structlog.get_logger()

LOOK_SECONDS: Final = 0.5
"""Pause between two looks at the database; it bounds how late a listener hears of a change."""
AWAY_SECONDS: Final = 2.0
"""Pause after a look that failed."""


class Listener:
    """Hears of one job. Who is slow gets the newest standing, not each one since."""

    def __init__(self) -> None:
        self.newest: Standing | None = None
        self.changed = asyncio.Event()

    def hear(self, standing: Standing | None) -> None:
        """Take news; None means that the job is gone."""
        self.newest = standing
        self.changed.set()


class Hub:
    """Whom to tell of which job. ``connect`` lends a connection for one look."""

    def __init__(self, connect: Callable[[], AbstractAsyncContextManager[AsyncConnection[Any]]]) -> None:
        self._connect = connect
        self._listeners: dict[str, set[Listener]] = {}
        self._known: dict[str, Standing | None] = {}
        self._asked = asyncio.Event()
        self._poller: asyncio.Task[None] | None = None

    @property
    def listening(self) -> int:
        """How many listen."""
        return sum(map(len, self._listeners.values()))

    async def follow(self, job_id: str) -> AsyncGenerator[Standing | None]:
        """Where the job stands, now and after each change, until it has ended; None, once, when it is gone.

        Close what it gives.
        """
        listener = Listener()
        self._listeners.setdefault(job_id, set()).add(listener)
        if job_id in self._known:
            listener.hear(self._known[job_id])
        self._asked.set()
        if self._poller is None or self._poller.done():
            self._poller = asyncio.create_task(self._poll(), name="api progress")
        try:
            while True:
                await listener.changed.wait()
                listener.changed.clear()
                standing = listener.newest
                yield standing
                if standing is None or standing.final:
                    return
        finally:
            self._leave(job_id, listener)

    async def close(self) -> None:
        """End the poller."""
        poller, self._poller = self._poller, None
        if poller is not None:
            poller.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await poller

    def _leave(self, job_id: str, listener: Listener) -> None:
        listeners = self._listeners.get(job_id, set())
        listeners.discard(listener)
        if not listeners:
            self._listeners.pop(job_id, None)
            self._known.pop(job_id, None)

    async def _poll(self) -> None:
        while self._listeners:
            self._asked.clear()
            pause = LOOK_SECONDS
            try:
                await self._look()
            except psycopg.Error as error:
                # Listeners keep what they know; a database that is back is seen at the next look.
                log.warning("api_progress_not_read", error=type(error).__name__)
                pause = AWAY_SECONDS
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._asked.wait(), pause)

    async def _look(self) -> None:
        asked = list(self._listeners)
        async with self._connect() as connection:
            found = await standings(connection, asked)
        for job_id in asked:
            listeners = self._listeners.get(job_id)
            if not listeners:
                continue
            standing = found.get(job_id)
            if job_id not in self._known or self._known[job_id] != standing:
                self._known[job_id] = standing
                for listener in listeners:
                    listener.hear(standing)
