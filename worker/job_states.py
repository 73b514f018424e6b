"""The words that rows and tasks use, and how they hang together.

A task is *waiting* (due later), *ready*, *leased* (a worker has it), *parked* (it killed its workers) or *closed*. The
application's row says ``processing`` from the first claim to the end, whatever the task does in between, so that its
pages do not flicker.
"""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Final


class TaskState(StrEnum):
    """Where a task stands; `MOVES` says how it gets there."""

    WAITING = "waiting"
    READY = "ready"
    LEASED = "leased"
    PARKED = "parked"
    CLOSED = "closed"


MOVES: Final[dict[tuple[TaskState, TaskState], str]] = {
    (TaskState.WAITING, TaskState.READY): "its time has come, or the application moved it",
    (TaskState.WAITING, TaskState.CLOSED): "deadline, cancelled, or its row ended outside",
    (TaskState.READY, TaskState.LEASED): "claimed",
    (TaskState.READY, TaskState.WAITING): "the application moved its time",
    (TaskState.READY, TaskState.CLOSED): "completed in a group, deadline, cancelled, or its row ended outside",
    (TaskState.LEASED, TaskState.READY): "continue",
    (TaskState.LEASED, TaskState.WAITING): "wait, retry, or its worker died",
    (TaskState.LEASED, TaskState.CLOSED): "completed, error, timeout, or its row ended outside",
    (TaskState.LEASED, TaskState.PARKED): "its workers died too often without progress",
    (TaskState.PARKED, TaskState.READY): "its row was set back to pending",
    (TaskState.PARKED, TaskState.WAITING): "its row was set back to pending, for later",
    (TaskState.CLOSED, TaskState.READY): "its row was set back to pending",
    (TaskState.CLOSED, TaskState.WAITING): "its row was set back to pending, for later",
}
"""Every move a task may make, and why; docs/job_states.md draws the same."""


class JobStatus(StrEnum):
    """What ``scraping_jobs.status`` may hold by us; any other word is the application's and is never touched.

    ``background_jobs`` says ``failed`` for ``error``, and is ``pending`` again between two attempts. ``search_jobs``
    says ``queued`` for ``pending``.
    """

    PENDING = "pending"
    PROCESSING = "processing"
    COMPLETED = "completed"
    ERROR = "error"
    TIMEOUT = "timeout"


WAITING_WORDS: Final = (JobStatus.PENDING.value, "queued")
"""Words of a row that waits to be run; the second is that of ``search_jobs``."""


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
    result: str | None = None
    """What a background job gives, as JSON text."""
    written: bool = False
    """Whether the handler's own transaction has settled the job already, so that nothing is left to write."""


def cancelled(reason: str) -> Decision:
    """How a slice ends whose job somebody wants stopped."""
    return Decision(Ending.ERROR, "cancelled", f"cancelled: {reason or 'no reason given'}")
