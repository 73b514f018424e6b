"""Numbers, times and states as people read them."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import urlsplit

FOREVER: Final = datetime(9999, 1, 1, tzinfo=UTC)
SIZES: Final = ((86_400, "d"), (3600, "h"), (60, "min"), (1, "s"))

TONES: Final = {
    "completed": "good",
    "stored": "good",
    "processing": "busy",
    "leased": "busy",
    "running": "busy",
    "pending": "calm",
    "queued": "calm",
    "ready": "calm",
    "waiting": "wait",
    "wait": "wait",
    "retry": "wait",
    "timeout": "bad",
    "error": "bad",
    "failed": "bad",
    "crashed": "bad",
    "parked": "bad",
}
"""Which colour a state has; every state is told in words too."""


def tone(state: str | None) -> str:
    """The colour's name of a state; one that is not ours is calm."""
    return TONES.get(state or "", "calm")


def aware(at: datetime) -> datetime:
    """The moment in UTC; what has no zone is UTC already."""
    return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)


def moment(at: datetime | None) -> str:
    """A time in UTC, to the second."""
    if at is None:
        return "never"
    return "no end" if aware(at) >= FOREVER else f"{aware(at):%Y-%m-%d %H:%M:%S} UTC"


def distance(seconds: float) -> str:
    """A length of time in two units at most: ``45 s``, ``3 min``, ``2 h 5 min``."""
    left = max(0, round(seconds))
    for place, (size, unit) in enumerate(SIZES):
        if left >= size:
            text = f"{left // size} {unit}"
            if place + 1 < len(SIZES) and place < 2 and (rest := left % size // SIZES[place + 1][0]):
                text += f" {rest} {SIZES[place + 1][1]}"
            return text
    return "0 s"


def relative(at: datetime | None, now: datetime | None = None) -> str:
    """How far a time is from now: ``in 4 min``, ``12 s ago``."""
    if at is None:
        return "never"
    if aware(at) >= FOREVER:
        return "until it is ended by hand"
    seconds = (aware(at) - (now or datetime.now(UTC))).total_seconds()
    if abs(seconds) < 1:
        return "now"
    return f"in {distance(seconds)}" if seconds > 0 else f"{distance(-seconds)} ago"


def number(value: float | None) -> str:
    """A whole number with its thousands apart."""
    return "–" if value is None else f"{value:,.0f}"


def short_number(value: float | None) -> str:
    """``1,234``, ``45.1k``, ``3.2M``."""
    if value is None:
        return "–"
    for size, unit in ((1_000_000, "M"), (10_000, "k")):
        if abs(value) >= size:
            return f"{value / (1000 if unit == 'k' else size):.1f}{unit}"
    return f"{value:,.0f}"


def size(count: int | None) -> str:
    """Bytes as people say them."""
    if count is None:
        return "–"
    return f"{count / 1024:.1f} kB" if count >= 1024 else f"{count} B"


def eta(target: int, results: int, stored: int | None, seconds: float | None) -> timedelta | None:
    """The time that what is missing takes at the pace of the newest pages; None where they tell no pace."""
    if not stored or not seconds or seconds <= 0 or results >= target:
        return None
    return timedelta(seconds=(target - results) * seconds / stored)


def safe_link(url: object) -> str | None:
    """The address when a browser may follow it: only http and https."""
    if not isinstance(url, str):
        return None
    try:
        parts = urlsplit(url.strip())
    except ValueError:
        return None
    return url.strip() if parts.scheme in ("http", "https") and parts.netloc else None


def initials(name: object) -> str:
    """One or two letters for somebody's picture."""
    words = [word for word in str(name or "").replace("_", " ").replace(".", " ").split() if word[:1].isalnum()]
    return "".join(word[0] for word in words[:2]).upper() or "?"


def plain(reason: Any) -> str:
    """A code of ours as words: ``rate_limit`` is "rate limit"."""
    return str(reason or "").replace("_", " ")
