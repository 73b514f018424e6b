"""A rate for each group of calls of an account, shared by the fleet, learned from refusals and quotas.

The rule is in rate_limiter.lua, docs/limits.md tells it in words.
"""

import asyncio
import random
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Final

from worker.clock import monotonic
from worker.limits.contract import Answered, Call, Hindrance, Permit, Quota, Refusal, Verdict
from worker.limits.local_rate import LocalRate, share_of
from worker.limits.scripts import Scripts

RATES: Final = "trawler:limits:rate:"
PATIENCE_SECONDS: Final = 2.0
"""Longest wait for a place that is spent inside the slice."""

REMEMBERED_SECONDS: Final = 600.0
"""A Redis that lost everything is told rates that were learned no longer ago."""

SCARCE: Final = 0.2
"""Below this part of a quota its rest is spread over the time until it is whole again."""

FIRST_SCARCE_CALLS: Final = 50
NEARLY_USED: Final = 0.8
"""From this used part of a sliding window on, calls are spaced: up to `WIDEST_SPACE_SECONDS` when all is used."""

WIDEST_SPACE_SECONDS: Final = 30.0
REGAIN_SECONDS: Final = 300.0


@dataclass(slots=True)
class _Group:
    """What this process knows of one group, and has not told Redis yet."""

    rate: float | None = None
    learned_at: float = 0.0
    hold_until: float = 0.0
    processes: int = 1
    generation: int = 0
    good: int = 0
    cap: tuple[float, float] | None = None
    silence: float = 0.0
    local: LocalRate = field(default_factory=LocalRate)


class RateLimiter:
    """Gives each call a place in time, or a time to come back.

    Args:
        scripts: The way to Redis.
        rates: Ceilings by provider, calls a second of one account; none where a provider is missing.
        owner: This process, told apart from the others of the fleet.
        alone: Calls a second of one group that this process makes at most while Redis is away.
        sleep: Waits for a place.
    """

    def __init__(
        self,
        scripts: Scripts,
        rates: Mapping[str, float],
        owner: str,
        alone: float,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._scripts = scripts
        self._rates = rates
        self._owner = owner
        self._alone = alone
        self._sleep = sleep
        self._groups: dict[tuple[str, str, str], _Group] = defaultdict(_Group)

    async def admit(self, permit: Permit) -> Permit | Refusal:
        """Wait for the call's place when it is near, else refuse with the time of another. One round trip."""
        call, group = permit.call, self._group(permit.call)
        told = await self._run("admit", call, group, PATIENCE_SECONDS)
        if told is None:
            ceiling = self._rates.get(call.provider, self._alone)
            rate = share_of(group.rate, group.processes, min(self._alone, ceiling))
            wait, admitted = group.local.place(rate, PATIENCE_SECONDS, group.hold_until)
        else:
            wait, admitted = float(told[1]), bool(told[2])
            permit = replace(permit, generation=int(told[0]), queued=bool(told[3]))
        if not admitted:
            pace = f"{group.rate:.3g} calls a second" if group.rate else "no more calls for now"
            detail = f"{call.provider} takes {pace}; the next place for this job is in {wait:.0f} s"
            return Refusal(Hindrance.RATE, detail, timedelta(seconds=wait))
        if wait > 0:
            await self._sleep(wait)
        return permit

    async def answered(self, permit: Permit, answer: Answered) -> timedelta | None:
        """Learn. Only a refusal, and a quota that runs out, is told to Redis at once or with the next call."""
        group = self._group(permit.call)
        if answer.quota is not None:
            self._read(answer.quota, group)
        if answer.verdict is Verdict.GOOD and permit.queued:
            if permit.generation != group.generation:
                group.generation, group.good = permit.generation, 0
            group.good += 1
        elif answer.verdict is Verdict.GOOD and group.rate is None:
            group.good += 1
        if answer.verdict is not Verdict.SLOW_DOWN:
            return None
        wait = answer.wait.total_seconds() if answer.wait else 0.0
        jitter = random.random()  # noqa: S311 - jitter, not a secret
        told = await self._run("slow", permit.call, group, permit.generation, wait, jitter)
        if told is None:
            pause = max(wait, (1 + jitter) / self._alone)
            group.hold_until = max(group.hold_until, monotonic() + pause)
        return timedelta(seconds=max(wait, float(told[1]) if told else 0.0, 0.1))

    async def _run(self, what: str, call: Call, group: _Group, *more: float) -> list[str] | None:
        now = monotonic()
        known = group.rate if group.rate and now - group.learned_at < REMEMBERED_SECONDS else None
        held = group.hold_until - now
        name = f"{RATES}{{{call.provider}:{call.account}:{call.group}}}"
        arguments = [
            *(what, "", self._rates.get(call.provider, ""), group.generation, group.good),
            *(group.cap or ("", "")),
            *(group.silence, self._owner, known or "", held if held > 0 else ""),
            *more,
        ]
        good, group.good, group.cap, group.silence = group.good, 0, None, 0.0
        told = await self._scripts.run("rate_limiter", [name, f"{name}:processes"], arguments)
        if told is None:
            group.good = good
            return None
        # Good answers that come in from now on belong to this generation.
        group.generation = int(told[0])
        group.rate, group.learned_at = (float(told[4]) if told[4] else None), now
        group.processes, group.hold_until = int(told[5]), now + float(told[6])
        return told

    def _group(self, call: Call) -> _Group:
        return self._groups[call.provider, call.account, call.group]

    @staticmethod
    def _read(quota: Quota, group: _Group) -> None:
        """Slow down before a quota is used up; what is left above the scarce part is nobody's concern."""
        if quota.remaining is not None and quota.reset_seconds is not None and quota.reset_seconds > 0:
            scarce = FIRST_SCARCE_CALLS if quota.allowed is None else SCARCE * quota.allowed
            if quota.remaining < 1:
                group.silence = quota.reset_seconds
            elif quota.remaining <= scarce:
                group.cap = (quota.remaining / quota.reset_seconds, quota.reset_seconds)
        if quota.used is not None and quota.used >= 1:
            group.silence = max(group.silence, quota.regain_seconds or REGAIN_SECONDS)
        elif quota.used is not None and quota.used >= NEARLY_USED:
            space = WIDEST_SPACE_SECONDS * (quota.used - NEARLY_USED) / (1 - NEARLY_USED)
            group.cap = (1 / max(space, 0.1), REGAIN_SECONDS)
