"""What providers say of the rate and quota they allow, read from their answers' headers as plain numbers.

Whether a reset is told in seconds or as a moment differs by provider; it is declared here and never guessed. Sources:
the vendors' documents of 2026 (Graph API: "Rate Limits"; the others tell nothing but Retry-After, or nothing at all).
"""

import math
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple, TypeAlias

import msgspec

from platforms.outcome import Judgement, Outcome

ONE_RATE: Final = frozenset({"scrapecreators", "youtube_data_api"})
"""Providers that count all calls of an account together; the others count each endpoint by itself."""

QUOTA_WAIT_SECONDS: Final = 600.0
"""A rule's own wait from here on means a quota that is used up. A shorter one is a guess for want of a header, and a
limit that learns the rate knows better."""


class Pace(NamedTuple):
    """What one answer tells; None where it tells nothing.

    Attributes:
        remaining: Calls left of a window.
        allowed: Calls of the whole window.
        reset_seconds: Until the window begins anew.
        used: The used part of a sliding window, 1 for all of it.
        regain_seconds: Until calls are answered again, where all is used.
    """

    remaining: float | None = None
    allowed: float | None = None
    reset_seconds: float | None = None
    used: float | None = None
    regain_seconds: float | None = None


NOTHING: Final = Pace()
Reader: TypeAlias = Callable[[Mapping[str, str]], Pace]


def group_of(provider: str, endpoint: str) -> str:
    """Which calls of an account share a rate: "" for all of them, else the endpoint's name."""
    return "" if provider in ONE_RATE else endpoint


def pace_of(provider: str, headers: Mapping[str, str]) -> Pace:
    """What the headers (lower-case names) of an answer tell. Never raises."""
    return READERS.get(provider, _windowed)(headers)


def long_wait(judgement: Judgement) -> bool:
    """Whether the outcome itself says that a quota is used up and when it is whole again."""
    seconds = judgement.wait.total_seconds() if judgement.wait else 0.0
    return judgement.outcome in (Outcome.RATE_LIMITED, Outcome.WAIT) and seconds >= QUOTA_WAIT_SECONDS


def _windowed(headers: Mapping[str, str]) -> Pace:
    """``X-RateLimit-Limit``, ``-Remaining`` and ``-Reset-After``, the only name of a reset that is always seconds."""
    remaining = _number(headers.get("x-ratelimit-remaining"))
    if remaining is None:
        return NOTHING
    return Pace(
        remaining,
        _number(headers.get("x-ratelimit-limit")),
        _number(headers.get("x-ratelimit-reset-after")),
    )


def _graph(headers: Mapping[str, str]) -> Pace:
    """``X-App-Usage`` and ``X-Business-Use-Case-Usage``: percentages, and minutes until access is regained."""
    usages: list[dict[str, Any]] = []
    app = _object(headers.get("x-app-usage"))
    if app:
        usages.append(app)
    for cases in _object(headers.get("x-business-use-case-usage")).values():
        usages += [case for case in cases if isinstance(case, dict)] if isinstance(cases, list) else []
    percents = [
        number
        for usage in usages
        for name in ("call_count", "total_time", "total_cputime")
        if (number := _number(usage.get(name))) is not None
    ]
    if not percents:
        return NOTHING
    minutes = [_number(usage.get("estimated_time_to_regain_access")) or 0.0 for usage in usages]
    regain = max(minutes) * 60
    return Pace(used=max(percents) / 100, regain_seconds=regain or None)


READERS: Final[Mapping[str, Reader]] = {"instagram_graph": _graph}


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    try:
        number = float(value)
    except ValueError:
        return None
    return number if math.isfinite(number) and number >= 0 else None


def _object(text: str | None) -> dict[str, Any]:
    try:
        told = msgspec.json.decode(text or "{}")
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return {}
    return told if isinstance(told, dict) else {}
