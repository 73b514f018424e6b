"""The limits of a deployment, one after the other: breaker, rate, budget."""

from collections.abc import Callable, Coroutine
from datetime import timedelta
from typing import Any

from worker.limits.circuit_breaker import CircuitBreaker
from worker.limits.contract import Answered, Call, Permit, Refusal
from worker.limits.credit_budget import CreditBudget
from worker.limits.rate_limiter import RateLimiter
from worker.limits.scripts import Scripts


class FleetLimits:
    """Admits a call that no limit is against. Made once a process, on the event loop that uses it."""

    def __init__(self, scripts: Scripts, breaker: CircuitBreaker, rate: RateLimiter, budget: CreditBudget) -> None:
        self._scripts = scripts
        self.breaker = breaker
        self._rate = rate
        self._budget = budget

    async def admit(self, call: Call) -> Permit | Refusal:
        """Ask the breaker, wait for a place, set credits aside: what costs least comes first."""
        told = await self.breaker.admit(Permit(call))
        if isinstance(told, Refusal):
            return told
        probe = told
        steps: tuple[Callable[[Permit], Coroutine[Any, Any, Permit | Refusal]], ...] = (
            self._rate.admit,
            self._budget.admit,
        )
        for step in steps:
            try:
                told = await step(told)
            except BaseException:
                # The slice was ended while it waited: the next call probes.
                await self.breaker.release(probe)
                raise
            if isinstance(told, Refusal):
                await self.breaker.release(probe)
                return told
        return told

    async def answered(self, permit: Permit, answer: Answered) -> timedelta | None:
        """Tell every limit. The credits first, as they were spent whatever else is learned."""
        await self._budget.answered(permit, answer)
        waits = [await self._rate.answered(permit, answer), await self.breaker.answered(permit, answer)]
        return max((wait for wait in waits if wait is not None), default=None)

    async def aclose(self) -> None:
        """Close the connections to Redis."""
        await self._scripts.aclose()
