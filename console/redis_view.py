"""What Redis says, asked seldom and never waited for long: whether it answers, what is paused, what rates are known."""

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

import redis
from starlette.concurrency import run_in_threadpool

from worker.broker import QUICKLY, make_redis
from worker.clock import monotonic
from worker.limits.overview import OpenBreaker, open_breakers
from worker.limits.rate_limiter import RATES
from worker.redaction import redact

FRESH_SECONDS: Final = 2.0


@dataclass(frozen=True, slots=True)
class Rate:
    """What is known of how often a group of endpoints may be called."""

    provider: str
    account: str
    group: str
    per_second: float | None
    hold_until: datetime | None


@dataclass(frozen=True, slots=True)
class Seen:
    """Redis at one moment; ``problem`` says why there is nothing else."""

    problem: str | None = None
    breakers: list[OpenBreaker] = field(default_factory=list)
    rates: list[Rate] = field(default_factory=list)


class RedisView:
    """Looks once for all who ask within `FRESH_SECONDS`."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._client: redis.Redis | None = None
        self._seen = Seen()
        self._at = float("-inf")
        self._lock = asyncio.Lock()

    async def look(self) -> Seen:
        """What Redis says now, or said a moment ago."""
        async with self._lock:
            if monotonic() - self._at > FRESH_SECONDS:
                self._seen = await run_in_threadpool(self._look)
                self._at = monotonic()
            return self._seen

    def forget(self) -> None:
        """Look anew at the next question, because something was changed."""
        self._at = float("-inf")

    def client(self) -> "redis.Redis":
        """A client that gives up quickly. Raises `ValueError` for a URL that is none."""
        if self._client is None:
            self._client = make_redis(self._url, connections=2, answer_seconds=QUICKLY, retries=0)
        return self._client

    def _look(self) -> Seen:
        try:
            client = self.client()
            client.ping()
            return Seen(None, open_breakers(client), _rates(client))
        except (redis.RedisError, ValueError) as error:
            return Seen(redact(str(error)))


def _rates(client: "redis.Redis") -> list[Rate]:
    found = []
    for key in client.scan_iter(match=f"{RATES}{{*}}", count=500):
        name = _text(key)
        # A group's processes stand under the same name with more behind it, as another type.
        if not name.endswith("}") or _text(client.type(name)) != "hash":
            continue
        provider, account, group = (*name.removeprefix(RATES + "{").removesuffix("}").split(":", 2), "", "")[:3]
        fields = {_text(one): _text(value) for one, value in dict(client.hgetall(name)).items()}
        hold = float(fields.get("hold") or 0)
        until = datetime.fromtimestamp(hold, UTC) if hold > datetime.now(UTC).timestamp() else None
        rate = float(fields["rate"]) if fields.get("rate") else None
        if rate is not None or until is not None:
            found.append(Rate(provider, account, group, rate, until))
    return sorted(found, key=lambda one: (one.provider, one.group))


def _text(value: object) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)
