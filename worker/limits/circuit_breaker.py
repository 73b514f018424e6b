"""Breakers: a provider that fails, or refuses every call, is asked by one call at a time until it is mended.

An endpoint's breaker opens after so many failures in a row, an account's at once when it is closed to us. Open means
refused until ``probe_at``; then exactly one call of the whole fleet passes, and its answer closes the breaker or opens
it for longer. The state is one Redis hash a breaker; `open_breakers` lists them.
"""

import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import structlog

from worker.clock import monotonic
from worker.limits.contract import Answered, Call, Hindrance, Permit, Refusal, Verdict
from worker.limits.scripts import Scripts

log = structlog.get_logger()

PREFIX: Final = "trawler:limits:breaker:"
CACHE_SECONDS: Final = 1.0
"""How long a process trusts what it last heard of a breaker."""

ACCOUNT, ENDPOINT = 1, 2
_LONGEST_DETAIL = 500


Opened = Callable[[Call, datetime, str, str], Awaitable[None]]
"""What is told of an opening: the call, the moment, a stable reason, and words for people."""


@dataclass(slots=True)
class _Known:
    """What this process last heard of a call's breakers."""

    at: float
    failures: int = 0
    refusal: Refusal | None = None
    until: float = 0.0


class CircuitBreaker:
    """Refuses calls to what is out of order.

    Args:
        scripts: The way to Redis.
        failures: Failures in a row, of the whole fleet, that open an endpoint's breaker.
        first_seconds: The first cool-down; each probe that fails doubles it.
        longest_seconds: Where that ends.
        probe_seconds: A probe that said nothing for so long is lost, and the next call probes.
        opened: Told of each opening, by the one process whose call opened it.
    """

    def __init__(
        self,
        scripts: Scripts,
        failures: int,
        first_seconds: float,
        longest_seconds: float,
        probe_seconds: float,
        clock: Callable[[], float] = monotonic,
        opened: Opened | None = None,
    ) -> None:
        self._scripts = scripts
        self._numbers = (failures, first_seconds, longest_seconds, probe_seconds)
        self._clock = clock
        self._opened = opened
        self._known: dict[tuple[str, str, str], _Known] = {}

    async def admit(self, permit: Permit) -> Permit | Refusal:
        """Pass, pass as the probe, or refuse. No round trip when the last one is younger than a second."""
        call, now = permit.call, self._clock()
        known = self._known.get(_key(call))
        if known is not None and known.refusal is not None and now < known.until:
            return replace(known.refusal, wait=_spread(known.until - now))
        if known is not None and known.refusal is None and now - known.at < CACHE_SECONDS:
            return permit
        told = await self._run("admit", call, 0)
        if told is None:
            return permit
        if not int(told[0]):
            self._known[_key(call)] = _Known(now, failures=int(told[3]))
            return replace(permit, probes=int(told[2]))
        wait = float(told[1])
        since = datetime.fromtimestamp(float(told[6] or 0), UTC)
        detail = f"{call.provider} is paused since {since:%Y-%m-%d %H:%M} UTC: {told[5]}; a single call probes it"
        refusal = Refusal(Hindrance.BREAKER, detail, timedelta(seconds=wait))
        # A probe may close it sooner than that, so nobody believes it for longer than a moment.
        self._known[_key(call)] = _Known(now, refusal=refusal, until=now + min(wait, CACHE_SECONDS))
        return replace(refusal, wait=_spread(wait))

    async def answered(self, permit: Permit, answer: Answered) -> timedelta | None:
        """Count. A good answer costs a round trip only after failures, or as the probe."""
        known = self._known.get(_key(permit.call))
        if answer.verdict is Verdict.CLOSED:
            which = ENDPOINT if answer.endpoint_alone else ACCOUNT
            return await self._tell("close", permit, answer.reason, answer.detail, which)
        if answer.verdict is Verdict.FAILING:
            return await self._tell("fail", permit, answer.reason, answer.detail)
        if answer.verdict is Verdict.SLOW_DOWN and permit.probes:
            return await self._tell("slow", permit)
        if answer.verdict is Verdict.GOOD and (permit.probes or (known is not None and known.failures)):
            return await self._tell("good", permit)
        return None

    async def release(self, permit: Permit) -> None:
        """Give a probe back that was not sent."""
        if permit.probes:
            await self._run("slow", permit.call, permit.probes)

    async def open(self, call: Call, reason: str, detail: str) -> None:
        """Open the breaker of the call's endpoint alone, e.g. because its answers have drifted."""
        await self._tell("close", Permit(call), reason, detail, ENDPOINT)

    async def _tell(self, event: str, permit: Permit, *more: str | int) -> timedelta | None:
        texts = [text[:_LONGEST_DETAIL] if isinstance(text, str) else text for text in more]
        told = await self._run(event, permit.call, permit.probes, *texts)
        if told is None:
            return None
        # What others of this process know of it is old now.
        self._known.pop(_key(permit.call), None)
        if not float(told[1]) and not permit.probes:
            self._known[_key(permit.call)] = _Known(self._clock(), failures=int(told[3]))
        if told[7]:
            about = {"provider": permit.call.provider, "account": permit.call.account, "endpoint": permit.call.endpoint}
            log.warning("breaker_changed", **about, now=told[7], why=texts[:2])
        if told[7] == "opened" and self._opened is not None:
            since = datetime.fromtimestamp(float(told[6]), UTC)
            await self._opened(permit.call, since, *(str(text) for text in texts[:2]))
        return timedelta(seconds=float(told[1])) if float(told[1]) else None

    async def _run(self, event: str, call: Call, probes: int, *more: str | int) -> list[Any] | None:
        account = f"{PREFIX}{{{call.provider}:{call.account}}}"
        keys = [account, f"{account}:{call.endpoint}"]
        return await self._scripts.run("circuit_breaker", keys, [event, "", probes, *self._numbers, *more])


def _key(call: Call) -> tuple[str, str, str]:
    return call.provider, call.account, call.endpoint


def _spread(seconds: float) -> timedelta:
    """A little later than asked, so that those who wait do not all come in one moment."""
    return timedelta(seconds=max(seconds, 0.1) * random.uniform(1, 1.1))  # noqa: S311 - jitter, not a secret
