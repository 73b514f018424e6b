"""One scrape: the counters of all processes, and the gauges of the moment."""

import asyncio
import time
from collections.abc import Iterator, Sequence
from typing import Final

import psycopg
import redis
import structlog
from prometheus_client import Metric
from prometheus_client.exposition import choose_encoder
from starlette.concurrency import run_in_threadpool

from console.monitoring import gauges
from console.monitoring.counters import counters
from db.queries import metrics
from db.session import Pool
from worker.broker import QUICKLY, make_redis
from worker.limits.overview import OpenBreaker, open_breakers
from worker.settings import Settings

log = structlog.get_logger()

STATEMENT_MS: Final = 5_000
"""Longest time one statement of a scrape may take."""
ANSWER_SECONDS: Final = 8.0
"""Longest time for all of them: Prometheus waits 10 s by default."""


class Collected:
    """Metrics that were collected already, as prometheus_client wants them to write."""

    def __init__(self, found: Sequence[Metric]) -> None:
        self._found = found

    def collect(self) -> Iterator[Metric]:
        """Each family once."""
        yield from self._found


async def scrape(pool: Pool, redis_url: str, settings: Settings, accept: str) -> tuple[bytes, str]:
    """The answer and its content type: OpenMetrics where ``accept`` asks for it, else Prometheus' text format.

    What is away is told as such, and what only it knows is left out. Raises nothing that a server can cause.
    """
    held_back, stored = await asyncio.gather(run_in_threadpool(_breakers, redis_url), _stored(pool, settings))
    found = gauges.of_the_moment(database=stored is not None, redis=held_back is not None)
    found += stored or []
    if held_back is not None:
        found += gauges.of_breakers(held_back, time.time())
    encode, content_type = choose_encoder(accept)
    return encode(Collected(found)), content_type


async def _stored(pool: Pool, settings: Settings) -> list[Metric] | None:
    """All that Postgres knows; None when it does not answer."""
    try:
        async with (
            asyncio.timeout(ANSWER_SECONDS),
            pool.connection(timeout=ANSWER_SECONDS) as connection,
            connection.transaction(),
        ):
            await connection.execute(f"SET LOCAL statement_timeout = {STATEMENT_MS}".encode())
            lanes = await metrics.lane_gauges(connection)
            found = gauges.of_schema(await metrics.revision(connection)) + gauges.of_lanes(lanes)
            found += gauges.of_processes(await metrics.process_gauges(connection), settings)
            found += gauges.of_quarantine(await metrics.open_items(connection))
            return found + counters(await metrics.counted(connection), [lane.lane for lane in lanes])
    except (psycopg.Error, TimeoutError) as error:
        log.warning("metrics_not_read", error=f"{type(error).__name__}: {error}".strip())
        return None


def _breakers(redis_url: str) -> list[OpenBreaker] | None:
    """Those that are open; None when Redis does not answer."""
    client = make_redis(redis_url, connections=1, answer_seconds=QUICKLY, retries=0)
    try:
        return open_breakers(client)
    except redis.RedisError:
        return None
    finally:
        client.close()
