"""Counters as providers send them: integers, floats, text, null, and now and then an overflow."""

LARGEST_COUNT = 2**63 - 1
"""What Postgres's bigint holds; a larger counter is an error of the sender."""


def count(value: object) -> int | None:
    """A counter as a whole number of zero or more; None when it is missing, negative or not a number."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = int(value)
    except (ValueError, OverflowError):
        return None
    return number if 0 <= number <= LARGEST_COUNT else None
