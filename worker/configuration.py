"""The application's configurations, as this process sees them: read often, asked for twice a minute at most."""

import asyncio
import hashlib
from collections.abc import Callable
from typing import Any, TypeVar

import psycopg
import structlog

from db.queries.configuration import StoredValue, load_values
from db.queries.events import NewEvent, raise_event
from db.session import Pool
from worker.clock import monotonic
from worker.configuration_keys import KEYS, Key
from worker.metrics import counting

log = structlog.get_logger()

FRESH_SECONDS = 30.0
"""A change of a row is seen after this at the latest."""
T = TypeVar("T")


class Configuration:
    """One reader a process. A value that cannot be read keeps the last good one, and is told by an event once.

    A row whose ``is_hot_reloadable`` is ``false`` counts as it was at the process's first look, or when it became so.
    While the database is away the values stay as they were; before the first look they are the defaults.
    """

    def __init__(self, pool: Pool, now: Callable[[], float] = monotonic) -> None:
        self._pool = pool
        self._now = now
        self._good: dict[str, Any] = {}
        self._fixed: set[str] = set()
        self._looked = False
        self._told: set[tuple[str, str]] = set()
        self._fresh_until = float("-inf")
        self._looking = asyncio.Lock()

    async def value(self, key: Key[T], default: T | None = None) -> T:
        """The value of a key now: its row's, else ``default``, else the key's own default. Raises nothing."""
        if self._now() >= self._fresh_until:
            async with self._looking:
                if self._now() >= self._fresh_until:
                    await self._look()
        fallback = key.default if default is None else default
        found: T = self._good.get(key.name, fallback)
        return found

    async def _look(self) -> None:
        self._fresh_until = self._now() + FRESH_SECONDS
        try:
            async with self._pool.connection() as connection:
                rows = await load_values(connection, list(KEYS))
                bad = self._take(rows)
                for name, text, problem in bad:
                    await raise_event(connection, _event(name, text, problem))
                    self._told.add((name, text))
        except psycopg.Error as error:
            log.warning("configuration_not_read", error=str(error).strip(), consequence="values stay as they were")

    def _take(self, rows: list[StoredValue]) -> list[tuple[str, str, str]]:
        """Make the rows' values this process's; give those that cannot be read and are not told of yet."""
        # A fixed row that is gone stays what it was, too.
        values = {name: self._good[name] for name in self._fixed & self._good.keys()}
        bad = []
        for row in rows:
            if self._looked and not row.hot:
                self._fixed.add(row.name)
                if row.name in self._good:
                    values[row.name] = self._good[row.name]
                continue
            self._fixed -= {row.name} if row.hot else set()
            try:
                values[row.name] = KEYS[row.name].read(row.value)
            except ValueError as error:
                if row.name in self._good:
                    values[row.name] = self._good[row.name]
                if (row.name, row.value) not in self._told:
                    log.error("configuration_invalid", name=row.name, error=str(error))
                    counting.misconfigured("value")
                    bad.append((row.name, row.value, str(error)))
            if not row.hot:
                self._fixed.add(row.name)
        self._good, self._looked = values, True
        return bad


def _event(name: str, text: str, problem: str) -> NewEvent:
    # One a value in the whole fleet: processes meet the same row.
    digest = hashlib.sha256(text.encode()).hexdigest()[:16]
    return NewEvent(
        "configuration",
        name,
        "configuration_invalid",
        f"configuration_invalid:{name}:{digest}",
        {"name": name, "problem": f"{problem}; correct the row, the last good value counts until then"},
    )
