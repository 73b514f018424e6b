"""Who looks up which creator: a claim in Postgres, so that of all processes one pays and the others wait for it."""

import asyncio
import contextlib
from collections.abc import Iterable, Mapping
from datetime import timedelta
from types import TracebackType
from typing import Final, Self
from uuid import uuid4

import psycopg
import structlog

from db.queries import profiles
from db.session import Pool

log = structlog.get_logger()

LIFE: Final = timedelta(seconds=10)
"""A claim whose holder died is free after this; a living holder renews it."""


class Claims:
    """The claims of one page's look-ups, renewed until it is left."""

    def __init__(self, pool: Pool, platform: str, provider: str) -> None:
        self._pool = pool
        self._platform = platform
        self._provider = provider
        self._claimant = uuid4()
        self._held: set[str] = set()
        self._renewing: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._renewing is not None:
            self._renewing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._renewing
        if self._held:
            # Those that cannot be given back run out.
            with contextlib.suppress(psycopg.OperationalError):
                await self.keep({}, tuple(self._held))

    async def take(self, keys: Iterable[str]) -> set[str]:
        """Claim creators; give those that are ours to look up now."""
        async with self._pool.connection() as connection:
            mine = await profiles.claim_look_ups(connection, self._platform, list(keys), self._claimant, LIFE)
        self._held |= mine
        if mine and self._renewing is None:
            self._renewing = asyncio.create_task(self._renew())
        return mine

    async def keep(self, documents: Mapping[str, str], claimed: Iterable[str]) -> None:
        """Keep profiles (JSON text by creator) and give claims back, in one transaction: nobody pays in between."""
        claimed = list(claimed)
        async with self._pool.connection() as connection, connection.transaction():
            if documents:
                await profiles.keep_profiles(connection, self._platform, self._provider, documents)
            await profiles.release_look_ups(connection, self._platform, claimed, self._claimant)
        self._held.difference_update(claimed)

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(LIFE.total_seconds() / 3)
            try:
                async with self._pool.connection() as connection:
                    await profiles.renew_look_ups(connection, self._platform, list(self._held), self._claimant, LIFE)
            except psycopg.OperationalError as error:
                log.warning("claims_not_renewed", creators=len(self._held), error=str(error))
