"""dramatiq over Redis, set so that it carries wake-ups and nothing else.

A wake-up means "someone should look at this lane". Lost, doubled, old or reordered, it changes nothing but latency:
so no retries, no delays, no age limit, no results. The figures behind the settings are in
docs/decisions/0004-dramatiq-settings.md.
"""

import threading
from collections.abc import Sequence

import dramatiq
import redis
import structlog
from dramatiq.brokers.redis import RedisBroker, _RedisConsumer
from dramatiq.errors import BrokerConnectionError, ConnectionClosed
from redis.backoff import ExponentialBackoff
from redis.retry import Retry

from worker.lanes import is_background

log = structlog.get_logger()

NAMESPACE = "trawler"
WAKE_SCRAPING = "wake_scraping"
WAKE_BACKGROUND = "wake_background"
DEAD_MESSAGE_MS = 3_600_000


QUICKLY = 1.0
"""Seconds that a client waits which has other work: who tops up wake-ups, and who watches whether Redis answers."""


def make_redis(url: str, connections: int = 16, *, answer_seconds: float = 5, retries: int = 2) -> "redis.Redis":
    """A client with a bounded, blocking pool and time-outs: a busy pool waits, a dead server is an error in seconds.

    A server that takes connections and answers nothing is waited for up to ``answer_seconds`` x (``retries`` + 1)
    squared, because making a connection anew is tried as often within each try.
    """
    pool = redis.BlockingConnectionPool.from_url(
        url,
        max_connections=connections,
        timeout=30,
        socket_connect_timeout=2,
        socket_timeout=answer_seconds,
        health_check_interval=30,
        retry=Retry(ExponentialBackoff(cap=1, base=0.05), retries),
    )
    return redis.Redis(connection_pool=pool)


LOOK_SECONDS = 1.0
"""How long a consumer without a wake-up waits at most, and so how long it may take to notice that it should end."""


class WakeUpConsumer(_RedisConsumer):
    """Waits on its list, acknowledges once, and takes a Redis that hangs like one that is gone.

    dramatiq sleeps between fetches, so that a wake-up waits for the sleep and each lane of an idle process costs twenty
    calls a second; and it tries to acknowledge until Redis is back, which would keep a worker from ending meanwhile,
    though a wake-up that was not acknowledged is only sent again.
    """

    def __init__(self, broker: RedisBroker, queue_name: str, prefetch: int, timeout: int) -> None:
        # Without a time-out dramatiq's own fetch does not sleep.
        super().__init__(broker, queue_name, prefetch, timeout=0)  # type: ignore[no-untyped-call]
        self._list = f"{broker.namespace}:{queue_name}"
        self._acknowledged = threading.Event()

    def __next__(self) -> "dramatiq.MessageProxy | None":
        """The next wake-up, None after a wait for one. Raises `dramatiq.errors.ConnectionClosed`."""
        try:
            message = super().__next__()  # type: ignore[no-untyped-call]  # dramatiq's class has no types
            if message is None:
                self._wait()
            return message  # type: ignore[no-any-return]
        except (redis.ConnectionError, redis.TimeoutError) as error:
            raise ConnectionClosed(error) from None

    def _wait(self) -> None:
        if self.outstanding_message_count >= self.prefetch:
            self._acknowledged.wait(LOOK_SECONDS)
            self._acknowledged.clear()
        else:
            # Moved onto its own place, the first wake-up stays where it is: this only waits until there is one.
            self.broker.client.blmove(self._list, self._list, LOOK_SECONDS, "LEFT", "LEFT")

    def ack(self, message: dramatiq.MessageProxy) -> None:
        """Acknowledge, or let it be."""
        try:
            super().ack(message)  # type: ignore[no-untyped-call]  # dramatiq's class has no types
        except (redis.RedisError, BrokerConnectionError) as error:
            log.info("wakeup_not_acknowledged", error=str(error))
        finally:
            self._acknowledged.set()

    nack = ack


class WakeUpBroker(RedisBroker):
    """A Redis broker whose consumers take wake-ups lightly, and whose queues have no delayed messages."""

    def declare_queue(self, queue_name: str) -> None:
        """Declare it, without the queue for delays beside it, which every process would have to look at."""
        if queue_name not in self.queues:
            self.emit_before("declare_queue", queue_name)
            self.queues.add(queue_name)
            self.emit_after("declare_queue", queue_name)

    @property
    def consumer_class(self) -> type[_RedisConsumer]:
        """The consumer of every queue."""
        return WakeUpConsumer


def make_broker(client: "redis.Redis", middleware: Sequence[dramatiq.Middleware] = ()) -> RedisBroker:
    """A broker with exactly this middleware. Without any it can only send."""
    return WakeUpBroker(  # type: ignore[no-untyped-call]  # dramatiq's class has no types
        client=client,
        middleware=list(middleware),
        namespace=NAMESPACE,
        dead_message_ttl=DEAD_MESSAGE_MS,
    )


class WakeUps:
    """Sends wake-ups for lanes."""

    def __init__(self, client: "redis.Redis") -> None:
        self._client = client
        self._broker = make_broker(client)

    def queued(self, lane: str) -> int:
        """Wake-ups of the lane that nobody has fetched. Raises `redis.RedisError`."""
        return int(self._client.llen(f"{NAMESPACE}:{lane}"))

    def send(self, lane: str, count: int = 1) -> None:
        """Add wake-ups for the lane. Raises `redis.RedisError`."""
        for _ in range(count):
            self._broker.enqueue(
                dramatiq.Message(
                    queue_name=lane,
                    actor_name=WAKE_BACKGROUND if is_background(lane) else WAKE_SCRAPING,
                    args=(lane,),
                    kwargs={},
                    options={},
                )
            )

    def top_up(self, lane: str, wanted: int) -> int:
        """Add what the lane's list lacks of ``wanted``; give how many. Raises `redis.RedisError`."""
        missing = max(wanted - self.queued(lane), 0)
        self.send(lane, missing)
        return missing
