"""A provider that an operator lets rest: its account's breaker is opened by hand, until a time."""

from collections.abc import Collection
from datetime import UTC, datetime, timedelta

import redis

from worker.limits.circuit_breaker import PREFIX
from worker.limits.rate_limiter import RATES

REASON = "operator"
KEEP = timedelta(days=7)
"""A breaker that nobody asks any more is forgotten after this, and so rests no longer."""


def accounts_of(client: "redis.Redis", provider: str) -> set[str]:
    """The accounts of a provider that calls were made with of late. Raises `redis.RedisError`."""
    found = set()
    for prefix in (PREFIX, RATES):
        for key in client.scan_iter(match=f"{prefix}{{{provider}:*", count=500):
            name = key.decode() if isinstance(key, bytes) else str(key)
            scope = name.removeprefix(prefix + "{").partition("}")[0]
            found.add(scope.split(":")[1])
    return found


def let_rest(
    client: "redis.Redis", provider: str, accounts: Collection[str], rest: timedelta, probe: timedelta, reason: str
) -> datetime:
    """Make no call to these accounts until ``rest`` is over; then one call probes, and its answer decides.

    A failed probe is repeated after ``probe``, then as any breaker's. Processes hear of it within a second or two.
    Gives when the rest ends, by the clock of Redis. Raises `redis.RedisError`.
    """
    seconds, microseconds = client.time()
    now = datetime.fromtimestamp(seconds + microseconds / 1e6, UTC)
    until = now + rest
    for account in accounts:
        name = f"{PREFIX}{{{provider}:{account}}}"
        client.hset(
            name,
            mapping={
                "cooldown": probe.total_seconds(),
                "probe_at": f"{until.timestamp():.3f}",
                "probing_until": 0,
                "since": f"{now.timestamp():.3f}",
                "reason": REASON,
                "detail": reason[:500],
            },
        )
        client.expire(name, rest + KEEP)
    return until
