"""What a worker process makes once and shares between its slices, and how that follows dramatiq's life."""

import asyncio
import contextlib
import threading
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from concurrent.futures import Future
from datetime import timedelta
from typing import Any

import dramatiq
import structlog
from dramatiq.asyncio import get_event_loop_thread

from actors.handlers.contract import Handler
from actors.providers import Providers
from actors.shape_watch import ShapeWatch
from db.session import Pool, make_pool
from worker.boot import Boot
from worker.claiming import claim
from worker.completions import Completions
from worker.configuration import Configuration
from worker.configuration_keys import STANDARD_JOB_TIMEOUT
from worker.groups import Group, claim_group
from worker.heartbeat import Heartbeat
from worker.leases import Lease
from worker.limits.contract import Limits
from worker.limits.making import make_limits
from worker.metrics.flushing import Flusher
from worker.processes import release, rss_mb

log = structlog.get_logger()


class Runtime(dramatiq.Middleware):
    """Starts with dramatiq's worker and ends with it. Must stand after ``AsyncIO``, whose event loop it uses."""

    pool: Pool
    completions: Completions
    configuration: Configuration
    providers: Providers
    call_places: asyncio.Semaphore
    limits: Limits
    watch: ShapeWatch
    counters: Flusher

    def __init__(self, boot: Boot, slots: int, handlers: Mapping[str, Handler], ask_to_end: Callable[[], None]) -> None:
        self.settings = boot.settings
        self.owner = boot.owner
        self.slots = slots
        self.handlers = handlers
        self.stopping = threading.Event()
        self.groups: Counter[str] = Counter()
        """Groups that run in this process now, by lane."""
        self._ask_to_end = ask_to_end
        self._slices = 0
        self._database_url = boot.database_url
        self._redis_url = boot.redis_url
        self.heartbeat = Heartbeat(
            boot.database_url,
            boot.owner,
            slots=slots,
            beat_seconds=boot.settings.beat_seconds,
            lease=boot.settings.lease,
            slice_limit_seconds=boot.settings.slice_limit_seconds,
            unhealthy_seconds=boot.settings.unhealthy_seconds,
        )

    def before_worker_boot(self, broker: dramatiq.Broker, worker: dramatiq.Worker) -> None:
        """Open the pool on the event loop and start beating."""
        self._on_loop(self._open())
        loop = self._loop()
        self.heartbeat.ask_pulse = lambda: loop.call_soon_threadsafe(self.heartbeat.pulse)
        self.heartbeat.start()
        log.info("worker_started", owner=self.owner, slots=worker.worker_threads, release=release())

    async def claim(self, lane: str, count: int = 1) -> list[Lease]:
        """Lease up to ``count`` tasks of a lane and beat for them, as `worker.claiming.claim`.

        A drain waits for a claim that is under way, since what it leases is this process's to work.
        """
        with self.heartbeat.claiming():
            if self.stopping.is_set():
                return []
            timeout = await self.configuration.value(STANDARD_JOB_TIMEOUT, self.settings.job_timeout)
            leases = await claim(self.pool, self.settings, lane, self.owner, count, timeout)
            for lease in leases:
                self.heartbeat.add(lease)
        return leases

    @contextlib.asynccontextmanager
    async def group(self, lane: str, count: int) -> AsyncIterator[Group | None]:
        """Lease up to ``count`` jobs of a lane as one, as `worker.groups.claim_group`. A drain waits for the block."""
        with self.heartbeat.claiming():
            if self.stopping.is_set():
                yield None
            else:
                yield await claim_group(self.pool, self.settings, lane, self.owner, count)

    def drain(self) -> None:
        """Claim nothing more, and wait until every running slice has left after its page and is settled."""
        self.stopping.set()
        log.info("worker_drains", owner=self.owner)
        self.heartbeat.wait_until_idle()

    def slice_ended(self, count: int = 1) -> None:
        """Count slices; ask the process to end once it has done enough, or holds too much memory."""
        self._slices += count
        if self.stopping.is_set():
            return
        after, limit = self.settings.recycle_slices, self.settings.recycle_rss_mb
        if (after and self._slices >= after) or (limit and rss_mb() > limit):
            log.info("worker_recycles", owner=self.owner, slices=self._slices, rss_mb=rss_mb())
            self._ask_to_end()

    def run_on_loop(self, work: Coroutine[Any, Any, None]) -> "Future[None]":
        """Start a coroutine on the event loop, from any thread."""
        return asyncio.run_coroutine_threadsafe(work, self._loop())

    def before_worker_shutdown(self, broker: dramatiq.Broker, worker: dramatiq.Worker) -> None:
        """Let running slices leave after their page, and claim nothing more."""
        self.stopping.set()

    def after_worker_shutdown(self, broker: dramatiq.Broker, worker: dramatiq.Worker) -> None:
        """Close what `before_worker_boot` opened."""
        self._on_loop(self.counters.aclose())
        self.heartbeat.stop()
        self._on_loop(self._close())
        log.info("worker_stopped", owner=self.owner)

    async def _open(self) -> None:
        self.providers = Providers(self.settings)
        self.call_places = asyncio.Semaphore(self.settings.provider_connections)
        self.pool = make_pool(self._database_url, "trawler worker", self.settings.database_connections)
        await self.pool.open()
        self.counters = Flusher(self.pool, self.owner, self.settings.metrics_seconds)
        self.completions = Completions(self.pool)
        self.configuration = Configuration(self.pool)
        limits = make_limits(self.settings, self._redis_url, self.owner, self.pool)
        self.limits = limits
        self.watch = ShapeWatch(
            self.pool,
            limits.breaker.open,
            seconds=self.settings.shape_seconds,
            pause=timedelta(seconds=self.settings.breaker_seconds),
        )

    async def _close(self) -> None:
        await self.providers.aclose()
        await self.limits.aclose()
        await self.pool.close()

    @staticmethod
    def _loop() -> asyncio.AbstractEventLoop:
        thread = get_event_loop_thread()
        assert thread is not None  # noqa: S101 - the AsyncIO middleware stands before this one
        return thread.loop

    def _on_loop(self, coroutine: Coroutine[Any, Any, None]) -> None:
        self.run_on_loop(coroutine).result(timeout=30)
