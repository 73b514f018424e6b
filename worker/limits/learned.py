"""The rates that a fleet has learned of its providers, for people, and how people correct them."""

from dataclasses import dataclass
from datetime import UTC, datetime

import redis

from worker.limits.rate_limiter import RATES

NEAR = 2
"""How well rate_limiter.lua takes such a rate to be known: a limit that was met, and may be passed a little."""


@dataclass(frozen=True, slots=True)
class LearnedRate:
    """One group of calls that share a rate. ``rate`` is calls a second, None where no refusal has taught one yet."""

    provider: str
    account: str
    group: str
    rate: float | None
    held_until: datetime | None


def learned_rates(client: "redis.Redis") -> list[LearnedRate]:
    """Every group that was called of late, by name. Raises `redis.RedisError`."""
    now = client.time()[0]
    found = []
    for name in _groups(client, "*"):
        told = {_text(field): _text(value) for field, value in dict(client.hgetall(name)).items()}
        provider, account, group = name.removeprefix(RATES + "{").removesuffix("}").split(":", 2)
        hold = float(told.get("hold", 0))
        held_until = datetime.fromtimestamp(hold, UTC) if hold > now else None
        found.append(LearnedRate(provider, account, group, float(told["rate"]) if "rate" in told else None, held_until))
    return sorted(found, key=lambda one: (one.provider, one.account, one.group))


def set_rate(client: "redis.Redis", provider: str, rate: float | None) -> int:
    """Let a provider's groups go on from this rate, or from none; give how many there are.

    What answers teach from then on counts as ever, so this corrects what was learned and is no ceiling. Raises
    `redis.RedisError`.
    """
    names = _groups(client, provider)
    now = client.time()[0]
    for name in names:
        # Answers to calls that were sent under the old rate say nothing about the new one.
        client.hincrbyfloat(name, "generation", 1)
        if rate is None:
            client.hdel(name, "rate", "limit")
        else:
            client.hset(name, mapping={"rate": rate, "limit": rate, "trust": NEAR, "since": now, "granted": 0})
    return len(names)


def _groups(client: "redis.Redis", provider: str) -> list[str]:
    keys = [_text(key) for key in client.scan_iter(match=f"{RATES}{{{provider}:*}}", count=500)]
    return [name for name in keys if name.endswith("}")]


def _text(value: object) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)
