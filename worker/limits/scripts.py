"""The one way to Redis for limits: atomic scripts, short time-outs, and no error for a server that is away."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import redis.asyncio
import structlog
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from worker.clock import monotonic

log = structlog.get_logger()

CONNECTIONS = 32
ANSWER_SECONDS = 1.0
AWAY_SECONDS = 1.0
"""Redis is left alone this long after it did not answer, so that not every call waits for it."""

_FOLDER = Path(__file__).parent


class Scripts:
    """Runs the scripts that lie beside this module. Made once a process, used on one event loop."""

    def __init__(self, redis_url: str, clock: Callable[[], float] = monotonic) -> None:
        pool = redis.asyncio.BlockingConnectionPool.from_url(
            redis_url,
            max_connections=CONNECTIONS,
            timeout=ANSWER_SECONDS,
            socket_connect_timeout=ANSWER_SECONDS,
            socket_timeout=ANSWER_SECONDS,
            retry=Retry(NoBackoff(), 0),
            decode_responses=True,
        )
        self._client = redis.asyncio.Redis(connection_pool=pool)
        self._scripts: dict[str, Any] = {}
        self._away_until = 0.0
        self._clock = clock

    async def run(self, name: str, keys: Sequence[str], arguments: Sequence[str | int | float]) -> list[Any] | None:
        """What ``name``.lua gives; None when Redis is away."""
        if self._clock() < self._away_until:
            return None
        script = self._scripts.get(name)
        if script is None:
            text = (_FOLDER / f"{name}.lua").read_text(encoding="utf-8")
            script = self._scripts[name] = self._client.register_script(text)
        try:
            answer: list[Any] = await script(keys=keys, args=arguments)
        except (RedisError, OSError) as error:
            self._away_until = self._clock() + AWAY_SECONDS
            log.warning("limits_without_redis", script=name, error=str(error))
            return None
        return answer

    async def aclose(self) -> None:
        """Close every connection."""
        await self._client.aclose()
        await self._client.connection_pool.disconnect()
