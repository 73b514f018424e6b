"""The limits that a process's settings ask for."""

from datetime import timedelta
from typing import Final

from db.session import Pool
from worker.limits.circuit_breaker import CircuitBreaker
from worker.limits.credit_budget import CreditBudget
from worker.limits.fleet import FleetLimits
from worker.limits.pauses import Pauses
from worker.limits.rate_limiter import RateLimiter
from worker.limits.scripts import Scripts
from worker.settings import Settings

MARGIN_SECONDS: Final = 30.0
"""Beyond the longest call: for the wait for a place and for a connection."""

RESERVED_FACTOR: Final = 10
"""Credits stay set aside for so many times the longest call, as a call may wait for a connection in its process."""


def make_limits(settings: Settings, redis_url: str, owner: str, pool: Pool) -> FleetLimits:
    """Breaker, rate and budget over one client of Redis and the worker's pool."""
    scripts = Scripts(redis_url)
    longest_call = settings.provider_total_seconds + MARGIN_SECONDS
    return FleetLimits(
        scripts,
        CircuitBreaker(
            scripts,
            settings.breaker_failures,
            settings.breaker_seconds,
            max(settings.breaker_cap_seconds, settings.breaker_seconds),
            longest_call,
            opened=Pauses(pool),
        ),
        RateLimiter(scripts, settings.rates, owner, settings.rate_without_redis),
        CreditBudget(
            pool,
            {provider: caps.given for provider, caps in settings.budgets.items() if caps.given},
            timedelta(seconds=RESERVED_FACTOR * longest_call),
        ),
    )
