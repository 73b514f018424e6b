"""Adds what a process counted to the database: every few seconds, at a clean end, and only where something is new."""

import asyncio
import contextlib
from typing import Final

import psycopg
import structlog
from psycopg import Connection

from db.queries import metrics
from db.session import Pool
from worker.clock import monotonic
from worker.metrics.deltas import Deltas

log = structlog.get_logger()

PATIENCE_SECONDS: Final = 30.0
ENDING_SECONDS: Final = 3.0
"""A process that ends waits no longer than this for a database that is away."""


class Flusher:
    """The counters of a process with an event loop; made on that loop, which it uses from then on.

    A database that is away costs nothing: what could not be added is added later. A process that is killed takes with
    it what it counted since the last time, ``seconds`` at most.
    """

    def __init__(self, pool: Pool, process: str, seconds: float) -> None:
        self._pool = pool
        self._process = process
        self._seconds = seconds
        self._deltas = Deltas()
        self._task = asyncio.create_task(self._run())

    async def flush(self, seconds: float = PATIENCE_SECONDS) -> None:
        """Add what is new, within so many seconds. Raises nothing that a database can cause."""
        if (addition := self._deltas.take()) is None:
            return
        try:
            async with asyncio.timeout(seconds), self._pool.connection(timeout=seconds) as connection:
                await metrics.add(connection, self._process, addition)
        except (psycopg.Error, TimeoutError) as error:
            log.warning("metrics_not_flushed", error=f"{type(error).__name__}: {error}".strip())
            return
        self._deltas.done()

    async def aclose(self) -> None:
        """Stop, and add the rest."""
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task
        await self.flush(ENDING_SECONDS)

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self._seconds)
            await self.flush()


class TickedFlusher:
    """The counters of a process that lives by ticks, on its own connection."""

    def __init__(self, process: str, seconds: float) -> None:
        self._process = process
        self._seconds = seconds
        self._deltas = Deltas()
        self._next = 0.0

    def flush_if_due(self, connection: Connection) -> None:
        """Add what is new where the time has come. Raises nothing that a statement can cause."""
        if monotonic() >= self._next:
            self._next = monotonic() + self._seconds
            self.flush(connection)

    def flush(self, connection: Connection) -> None:
        """Add what is new, now."""
        if (addition := self._deltas.take()) is None:
            return
        try:
            metrics.add_now(connection, self._process, addition)
        except psycopg.Error as error:
            # What concerns the connection, the next statement meets too.
            log.warning("metrics_not_flushed", error=str(error).strip())
            return
        self._deltas.done()
