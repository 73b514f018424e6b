"""How fast and how often each account may call: token buckets and daily quotas, changeable at any time."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from email.utils import format_datetime
from typing import Any, Literal

import msgspec

from platforms.simulator.endpoint import Why
from worker.clock import utc_now


class Limit(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One rule: which calls, and how many of them each account may make."""

    path: str
    """A provider's name, or what the paths begin with. The longest one that names a rate, or a quota, counts."""
    per_second: float | None = None
    burst: int | None = None
    """How many may come at once; without it one second's worth, at least one."""
    per_day: int | None = None
    """Units of the provider until a new day is told."""
    retry_after: int | Literal["seconds", "date"] | None = None
    """What the refusal tells: this many seconds, the true number, the true time, or nothing."""

    @property
    def most(self) -> float:
        """What the bucket holds when it is full."""
        return self.burst if self.burst is not None else max(1.0, self.per_second or 1.0)


@dataclass(slots=True)
class _Account:
    tokens: float
    filled_at: float
    allowed: int = 0
    refused: int = 0
    today: int = 0


class Exceeded(Exception):
    """A limit refuses a call. ``headers`` holds Retry-After, where the rule tells one."""

    def __init__(self, why: Why, wait: float | None, headers: dict[str, str]) -> None:
        super().__init__(why)
        self.why = why
        self.wait = wait
        self.headers = headers


class Limits:
    """The rules and what each account has used of them. A new rule for a path replaces the old, and keeps the counts.

    The calls of many processes meet here in one thread, so nothing can pass beside the count.
    """

    def __init__(self, rules: tuple[Limit, ...] = (), clock: Callable[[], float] = time.monotonic) -> None:
        self._built_in = rules
        self._rules = {rule.path: rule for rule in rules}
        self._accounts: dict[tuple[str, str], _Account] = {}
        self._clock = clock

    def set(self, rule: Limit) -> None:
        """Put a rule in force."""
        self._rules[rule.path] = rule
        for (path, _), account in self._accounts.items():
            if path == rule.path:
                account.tokens = min(account.tokens, rule.most)
                account.filled_at = self._clock()

    def reset(self) -> None:
        """Only the built-in rules again, with nothing used."""
        self._rules = {rule.path: rule for rule in self._built_in}
        self._accounts.clear()

    def new_day(self) -> None:
        """Give every account its daily quota back."""
        for account in self._accounts.values():
            account.today = 0

    def admit(self, provider: str, path: str, account: str, units: int) -> None:
        """Count one call. Raises `Exceeded` when a rate or a quota refuses it."""
        daily = self._rule(provider, path, lambda rule: rule.per_day is not None)
        rate = self._rule(provider, path, lambda rule: rule.per_second is not None)
        if daily is not None and self._state(daily, account).today + units > (daily.per_day or 0):
            self._refuse(daily, account, Why.QUOTA, None)
        if rate is not None:
            state = self._state(rate, account)
            wait = self._fill(rate, state)
            if wait > 0:
                self._refuse(rate, account, Why.TOO_FAST, wait)
            state.tokens -= 1
        for rule in {rule.path: rule for rule in (daily, rate) if rule is not None}.values():
            self._state(rule, account).allowed += 1
        if daily is not None:
            self._state(daily, account).today += units

    def used(self, provider: str, path: str, account: str) -> float:
        """Which part of its daily quota an account has used, 0 to 1; 0 where there is none."""
        daily = self._rule(provider, path, lambda rule: rule.per_day is not None)
        return self._state(daily, account).today / daily.per_day if daily and daily.per_day else 0.0

    def report(self) -> list[dict[str, Any]]:
        """Every rule with what each account was allowed and refused, and what it used of today."""
        return [
            {
                **msgspec.to_builtins(rule),
                "accounts": {
                    name: {"allowed": state.allowed, "refused": state.refused, "today": state.today}
                    for (path, name), state in self._accounts.items()
                    if path == rule.path
                },
            }
            for rule in self._rules.values()
        ]

    def _rule(self, provider: str, path: str, names: Callable[[Limit], bool]) -> Limit | None:
        fitting = [
            rule
            for rule in self._rules.values()
            if names(rule) and (rule.path == provider or (rule.path.startswith("/") and path.startswith(rule.path)))
        ]
        # A provider's name is shorter than any of its paths would be.
        return max(fitting, key=lambda rule: len(rule.path) if rule.path.startswith("/") else 0, default=None)

    def _state(self, rule: Limit, account: str) -> _Account:
        return self._accounts.setdefault((rule.path, account), _Account(rule.most, self._clock()))

    def _fill(self, rule: Limit, state: _Account) -> float:
        """Seconds until there is a token; 0 when there is one."""
        now, speed = self._clock(), rule.per_second or 0.0
        state.tokens = min(rule.most, state.tokens + (now - state.filled_at) * speed)
        state.filled_at = now
        if state.tokens >= 1:
            return 0.0
        return (1 - state.tokens) / speed if speed else math.inf

    def _refuse(self, rule: Limit, account: str, why: Why, wait: float | None) -> None:
        self._state(rule, account).refused += 1
        told = rule.retry_after
        seconds = told if isinstance(told, int) else math.ceil(wait if wait and wait < math.inf else 1)
        headers = {}
        if told == "date":
            headers["Retry-After"] = format_datetime(utc_now() + timedelta(seconds=seconds), usegmt=True)
        elif told is not None:
            headers["Retry-After"] = str(seconds)
        raise Exceeded(why, wait, headers)
