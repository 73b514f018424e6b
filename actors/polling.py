"""What a worker does while Redis is away: it looks at Postgres by itself, with the same code.

A wake-up only says that somebody should look; without wake-ups this looks every second or so.
"""

import asyncio
import random
import threading
from collections.abc import Callable, Sequence

import redis
import structlog

from actors.background import work_background_tasks
from actors.runtime import Runtime
from actors.scraping import work_scraping_task
from worker.clock import monotonic
from worker.lanes import is_background
from worker.leases import Lease

log = structlog.get_logger()

PING_SECONDS = 1.0


class Degraded(threading.Thread):
    """Watches Redis; polls Postgres once it has been away for long enough, until it is back."""

    def __init__(self, runtime: Runtime, ping: Callable[[], object], lanes: Sequence[str]) -> None:
        super().__init__(name="redis-watch", daemon=True)
        self._runtime = runtime
        self._ping = ping
        self._lanes = lanes

    def run(self) -> None:
        """Watch until the worker stops."""
        away_since: float | None = None
        while not self._runtime.stopping.wait(PING_SECONDS):
            asked_at = monotonic()
            try:
                self._ping()
            except redis.RedisError as error:
                # Counted from before the question: a Redis that hangs answers it late or never.
                away_since = away_since or asked_at
                if (
                    not self._runtime.heartbeat.polling
                    and monotonic() - away_since > self._runtime.settings.degraded_after_seconds
                ):
                    log.error("redis_away", error=str(error), consequence="this worker polls Postgres until it is back")
                    self._runtime.heartbeat.polling = True
                    self._runtime.run_on_loop(self._poll())
            else:
                if self._runtime.heartbeat.polling:
                    log.info("redis_back", consequence="this worker waits for wake-ups again")
                away_since, self._runtime.heartbeat.polling = None, False

    async def _poll(self) -> None:
        running: set[asyncio.Task[None]] = set()
        while self._runtime.heartbeat.polling and not self._runtime.stopping.is_set():
            for lane in self._lanes:
                free = self._runtime.slots - self._runtime.heartbeat.in_use
                if free <= 0:
                    break
                try:
                    leases = await self._runtime.claim(lane, free)
                except Exception as error:  # the database may be away too; the next look tells
                    log.warning("poll_failed", lane=lane, error=str(error))
                    break
                for group in _groups(lane, leases):
                    task = asyncio.create_task(self._work(lane, group))
                    running.add(task)
                    task.add_done_callback(running.discard)
            # Several workers should not look at the same moment.
            await asyncio.sleep(self._runtime.settings.poll_seconds * random.uniform(0.5, 1.0))  # noqa: S311 - jitter
        if running:
            await asyncio.wait(running)

    async def _work(self, lane: str, leases: list[Lease]) -> None:
        if is_background(lane):
            await work_background_tasks(self._runtime, leases)
        else:
            await work_scraping_task(self._runtime, leases[0])


def _groups(lane: str, leases: list[Lease]) -> list[list[Lease]]:
    if is_background(lane):
        return [leases] if leases else []
    return [[lease] for lease in leases]
