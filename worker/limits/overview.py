"""What limits hold back at present, for people, and how people let it go."""

from dataclasses import dataclass
from datetime import UTC, datetime

import redis

from worker.limits.circuit_breaker import PREFIX
from worker.limits.rate_limiter import RATES


@dataclass(frozen=True, slots=True)
class OpenBreaker:
    """One breaker that refuses calls. ``endpoint`` is "" where the whole account is paused."""

    provider: str
    account: str
    endpoint: str
    reason: str
    detail: str
    since: datetime
    next_probe: datetime


def open_breakers(client: "redis.Redis") -> list[OpenBreaker]:
    """All that are open, oldest first. Raises `redis.RedisError`."""
    found = []
    for key in client.scan_iter(match=f"{PREFIX}*", count=500):
        name = key.decode() if isinstance(key, bytes) else str(key)
        fields = client.hgetall(name)
        told = {_text(field): _text(value) for field, value in dict(fields).items()}
        if "probe_at" not in told:
            continue
        scope, _, endpoint = name.removeprefix(PREFIX + "{").partition("}")
        provider, _, account = scope.partition(":")
        found.append(
            OpenBreaker(
                provider,
                account,
                endpoint.removeprefix(":"),
                told.get("reason", ""),
                told.get("detail", ""),
                _moment(told.get("since")),
                _moment(told["probe_at"]),
            )
        )
    return sorted(found, key=lambda breaker: breaker.since)


def let_go(client: "redis.Redis", provider: str = "*") -> int:
    """Close the breakers of a provider and end its waits, after what they were for was mended; give how many.

    Learned rates stay. Processes hear of it within a second or two. Raises `redis.RedisError`.
    """
    ended = 0
    for key in list(client.scan_iter(match=f"{PREFIX}{{{provider}:*", count=500)):
        ended += int(client.delete(key))
    for key in list(client.scan_iter(match=f"{RATES}{{{provider}:*}}", count=500)):
        ended += bool(client.hdel(key, "hold", "line", "cap", "cap_until"))
    return ended


def _text(value: object) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


def _moment(seconds: str | None) -> datetime:
    return datetime.fromtimestamp(float(seconds or 0), UTC)
