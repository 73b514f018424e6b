"""The dramatiq application of one worker process: broker, middleware, queues, actor."""

import dramatiq
from dramatiq.brokers.redis import RedisBroker
from dramatiq.middleware import AsyncIO, CurrentMessage, TimeLimit

from actors.lanes import served_lanes
from actors.runtime import Runtime
from actors.scraping import work_lane
from worker.boot import Boot
from worker.broker import ACTOR, make_broker, make_redis

WORKER_TIMEOUT_MS = 50
"""dramatiq's idle pause; its default of a second makes pick-up slow."""


def make_application(boot: Boot, slots: int) -> tuple[RedisBroker, Runtime]:
    """The broker with its one actor, declared for every lane, and the runtime that its slices share."""
    runtime = Runtime(boot, slots)
    # The last net only: a slice ends itself long before, and a lease that is not renewed ends without it.
    limit_ms = boot.settings.slice_limit_seconds * 1000 + 60_000
    broker = make_broker(
        make_redis(boot.redis_url, connections=32),
        [CurrentMessage(), AsyncIO(), TimeLimit(time_limit=limit_ms), runtime],
    )

    async def wake(lane: str) -> None:
        await work_lane(runtime, lane)

    names = served_lanes()
    dramatiq.actor(actor_name=ACTOR, queue_name=names[0], broker=broker)(wake)
    for name in names[1:]:
        broker.declare_queue(name)
    return broker, runtime


def make_worker(broker: RedisBroker, slots: int) -> dramatiq.Worker:
    """A worker with one thread a slot, which fetches no more wake-ups than it can run."""
    worker = dramatiq.Worker(broker, worker_threads=slots, worker_timeout=WORKER_TIMEOUT_MS)
    worker.queue_prefetch = slots
    return worker
