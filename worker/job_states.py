"""The words that rows and tasks use, and how they hang together.

A task is *waiting* (due later), *ready*, *leased* (a worker has it), *parked* (it killed its workers) or *closed*. The
application's row says ``processing`` from the first claim to the end, whatever the task does in between, so that its
pages do not flicker.
"""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum


class JobStatus(StrEnum):
    """What ``scraping_jobs.status`` may hold by us; any other word is the application's and is never touched."""

    PENDING = "pending"
    PROCESSING = "processing"
    COMPLETED = "completed"
    ERROR = "error"
    TIMEOUT = "timeout"


class Ending(StrEnum):
    """How a slice ends, and with it what happens to its task."""

    COMPLETED = "completed"
    """The row is done: closed."""
    ERROR = "error"
    """The row is given up: closed."""
    TIMEOUT = "timeout"
    """The row's deadline passed: closed."""
    OUTSIDE = "outside"
    """The application ended, reset or deleted the row: closed, the row keeps its word."""
    CONTINUE = "continue"
    """More to do, nothing in the way: ready, at its old place."""
    WAIT = "wait"
    """Something must pass first: waiting, no attempt spent."""
    RETRY = "retry"
    """An error that may clear: waiting, one attempt spent."""
    LOST = "lost"
    """The lease is somebody else's: nothing is written."""


@dataclass(frozen=True, slots=True)
class Decision:
    """How a slice ends and why. ``reason`` is a stable word; ``detail`` is for people and goes into ``error``."""

    ending: Ending
    reason: str
    detail: str | None = None
    delay: timedelta = timedelta(0)
