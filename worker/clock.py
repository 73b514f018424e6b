"""Where time comes from, so that tests can bring their own."""

import time
from datetime import UTC, datetime


def utc_now() -> datetime:
    """The present moment with its zone, UTC."""
    return datetime.now(UTC)


def monotonic() -> float:
    """Seconds on a clock that never jumps; only differences mean anything."""
    return time.monotonic()
