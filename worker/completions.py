"""Group commit: background jobs that complete while a write is under way are written by the next one, together."""

import asyncio
from collections.abc import Sequence
from typing import Final

import structlog

from db.queries.completing import close_completed
from db.queries.settling import Settlement
from db.session import Pool
from worker.job_states import Ending

log = structlog.get_logger()

MOST: Final = 250
"""Most completions in one statement: against so many a commit costs little, and a lost reply is asked for by each."""


class Completions:
    """The completions of one process, on one event loop. One write at a time, which is what makes groups.

    A group holds ordinary completions alone and waits for nobody. Whatever it leaves out, or all of it where the
    statement fails for one of them, is settled one by one as any other ending.
    """

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._waiting: list[tuple[Settlement, asyncio.Future[bool]]] = []
        self._writing: asyncio.Task[None] | None = None

    @staticmethod
    def takes(settlement: Settlement) -> bool:
        """Whether it is one for `write`."""
        return settlement.job_table == "background_jobs" and settlement.outcome == Ending.COMPLETED

    async def write(self, settlement: Settlement) -> bool:
        """Write it together with others; False when it must be settled alone, as one whose reply may have been lost."""
        answer: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting.append((settlement, answer))
        if self._writing is None:
            # It begins behind all that complete in this turn of the loop.
            self._writing = asyncio.create_task(self._write_all())
        return await answer

    async def _write_all(self) -> None:
        try:
            while self._waiting:
                group, self._waiting = self._waiting[:MOST], self._waiting[MOST:]
                written = await self._write([settlement for settlement, _ in group])
                for settlement, answer in group:
                    if not answer.done():
                        answer.set_result(settlement.task_id in written)
        finally:
            self._writing = None

    async def _write(self, group: Sequence[Settlement]) -> set[int]:
        try:
            async with self._pool.connection() as connection:
                return await close_completed(connection, group)
        except Exception as error:  # nobody may wait for an answer that does not come
            log.warning("group_settled_one_by_one", jobs=len(group), error=f"{type(error).__name__}: {error}")
            return set()
