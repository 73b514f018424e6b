"""Counters as providers send them: integers, floats, text, null, and now and then an overflow."""

import re
from decimal import Decimal
from typing import Final

LARGEST_COUNT = 2**63 - 1
"""What Postgres's bigint holds; a larger counter is an error of the sender."""

_SHOWN = re.compile(
    r"(?P<whole>[0-9]{1,3}(?:,[0-9]{3})+|[0-9]+)(?P<part>\.[0-9]+)?\s?(?P<unit>[KMB])?(?:\s[a-z]+)?",
    re.IGNORECASE | re.ASCII,
)
_NONE_SHOWN = re.compile(r"no [a-z]+", re.IGNORECASE | re.ASCII)
_UNITS: Final = {"": 1, "K": 1_000, "M": 1_000_000, "B": 1_000_000_000}
_LONGEST_SHOWN = 60


def count(value: object) -> int | None:
    """A counter as a whole number of zero or more; None when it is missing, negative or not a number.

    Text may be as pages show it: ``2,676,415 views``, ``331K``, ``1.2M views`` (rounded by whoever wrote it), and
    ``No views``, which is 0.
    """
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = int(value)
    except (ValueError, OverflowError):
        return _shown(value) if isinstance(value, str) else None
    return number if 0 <= number <= LARGEST_COUNT else None


def shortened(number: int) -> str:
    """A counter as pages show it, cut and not rounded up: ``950``, ``42.5K``, ``2.75M``."""
    for unit in ("B", "M", "K"):
        if number >= _UNITS[unit]:
            hundredths = number * 100 // _UNITS[unit]
            return f"{hundredths / 100:g}{unit}" if hundredths < 10_000 else f"{hundredths // 100}{unit}"
    return str(number)


def _shown(text: str) -> int | None:
    """A counter as a page shows it; a fraction without a unit is no counter."""
    plain = " ".join(text.split())
    if len(plain) > _LONGEST_SHOWN:
        return None
    if _NONE_SHOWN.fullmatch(plain):
        return 0
    match = _SHOWN.fullmatch(plain)
    if match is None or (match["part"] and not match["unit"]):
        return None
    told = Decimal(match["whole"].replace(",", "") + (match["part"] or ""))
    number = int(told * _UNITS[(match["unit"] or "").upper()])
    return number if number <= LARGEST_COUNT else None
