"""The dramatiq application of one worker process: broker, middleware, queues, actors."""

from collections.abc import Awaitable, Callable

import dramatiq
from dramatiq.brokers.redis import RedisBroker
from dramatiq.middleware import AsyncIO, CurrentMessage, TimeLimit

from actors.background import work_background_lane
from actors.handlers import load_handlers
from actors.lanes import served_lanes
from actors.polling import Degraded
from actors.provider_order import check_order
from actors.runtime import Runtime
from actors.scraping import work_scraping_lane
from worker.boot import Boot
from worker.broker import QUICKLY, WAKE_BACKGROUND, WAKE_SCRAPING, make_broker, make_redis
from worker.lanes import is_background
from worker.metrics import counting

THREAD_LOOK_MS = 250
"""How often a thread without work looks whether it should end; work itself wakes it at once."""
SHARED_CONNECTIONS = 32
"""Connections to Redis beside the one on which each lane's consumer waits."""


def make_application(boot: Boot, slots: int, ask_to_end: Callable[[], None]) -> tuple[RedisBroker, Runtime, Degraded]:
    """The broker with its two actors, declared for every lane, the runtime that slices share, and the watch on Redis.

    ``ask_to_end`` is called, from any thread, when the process should drain and end. Raises `ConfigurationError` when
    a handler module or the order of providers is wrong.
    """
    check_order(boot.settings.providers)
    handlers = load_handlers(boot.settings.handlers)
    runtime = Runtime(boot, slots, handlers, ask_to_end)
    lanes = served_lanes(handlers)
    client = make_redis(boot.redis_url, connections=SHARED_CONNECTIONS + len(lanes))
    # The last net only: a slice ends itself long before, and a lease that is not renewed ends without it.
    limit_ms = boot.settings.slice_limit_seconds * 1000 + 60_000
    broker = make_broker(client, [CurrentMessage(), AsyncIO(), TimeLimit(time_limit=limit_ms), runtime])
    for actor, work, names in (
        (WAKE_SCRAPING, work_scraping_lane, [lane for lane in lanes if not is_background(lane)]),
        (WAKE_BACKGROUND, work_background_lane, [lane for lane in lanes if is_background(lane)]),
    ):
        _declare(broker, runtime, actor, work, names)
    watch = make_redis(boot.redis_url, connections=1, answer_seconds=QUICKLY, retries=0)
    return broker, runtime, Degraded(runtime, watch.ping, lanes)


def make_worker(broker: RedisBroker, slots: int) -> dramatiq.Worker:
    """A worker with one thread a slot, which fetches no more wake-ups than it can run."""
    worker = dramatiq.Worker(broker, worker_threads=slots, worker_timeout=THREAD_LOOK_MS)
    worker.queue_prefetch = slots
    return worker


def _declare(
    broker: RedisBroker, runtime: Runtime, actor: str, work: Callable[[Runtime, str], Awaitable[None]], lanes: list[str]
) -> None:
    async def wake(lane: str) -> None:
        counting.woken(lane)
        await work(runtime, lane)

    dramatiq.actor(actor_name=actor, queue_name=lanes[0], broker=broker)(wake)
    for lane in lanes[1:]:
        broker.declare_queue(lane)
