"""What a worker process makes once and shares between its slices, and how that follows dramatiq's life."""

import asyncio
import threading
from collections.abc import Coroutine
from typing import Any

import dramatiq
import structlog
from dramatiq.asyncio import get_event_loop_thread

from actors.providers import Transports
from db.session import Pool, make_pool
from worker.boot import Boot
from worker.heartbeat import Heartbeat

log = structlog.get_logger()


class Runtime(dramatiq.Middleware):
    """Starts with dramatiq's worker and ends with it. Must stand after ``AsyncIO``, whose event loop it uses."""

    pool: Pool
    transports: Transports
    call_places: asyncio.Semaphore

    def __init__(self, boot: Boot, slots: int) -> None:
        self.settings = boot.settings
        self.owner = boot.owner
        self.stopping = threading.Event()
        self._database_url = boot.database_url
        self.heartbeat = Heartbeat(
            boot.database_url,
            boot.owner,
            slots=slots,
            beat_seconds=boot.settings.beat_seconds,
            lease=boot.settings.lease,
            slice_limit_seconds=boot.settings.slice_limit_seconds,
        )

    def before_worker_boot(self, broker: dramatiq.Broker, worker: dramatiq.Worker) -> None:
        """Open the pool on the event loop and start beating."""
        self._on_loop(self._open())
        self.heartbeat.start()
        log.info("worker_started", owner=self.owner, slots=worker.worker_threads)

    def drain(self) -> None:
        """Claim nothing more, and wait until every running slice has left after its page and is settled."""
        self.stopping.set()
        log.info("worker_drains", owner=self.owner)
        self.heartbeat.wait_until_idle()

    def before_worker_shutdown(self, broker: dramatiq.Broker, worker: dramatiq.Worker) -> None:
        """Let running slices leave after their page, and claim nothing more."""
        self.stopping.set()

    def after_worker_shutdown(self, broker: dramatiq.Broker, worker: dramatiq.Worker) -> None:
        """Close what `before_worker_boot` opened."""
        self.heartbeat.stop()
        self._on_loop(self._close())
        log.info("worker_stopped", owner=self.owner)

    async def _open(self) -> None:
        self.transports = Transports(self.settings)
        self.call_places = asyncio.Semaphore(self.settings.provider_connections)
        self.pool = make_pool(self._database_url, "trawler worker", self.settings.database_connections)
        await self.pool.open()

    async def _close(self) -> None:
        await self.transports.aclose()
        await self.pool.close()

    @staticmethod
    def _on_loop(coroutine: Coroutine[Any, Any, None]) -> None:
        thread = get_event_loop_thread()
        assert thread is not None  # noqa: S101 - the AsyncIO middleware stands before this one
        asyncio.run_coroutine_threadsafe(coroutine, thread.loop).result(timeout=30)
