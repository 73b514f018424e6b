"""What a check gets and gives: the patient, the limits, the findings."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

import redis
from psycopg import Connection

from worker.job_states import JobStatus
from worker.settings import Settings

Severity = Literal["ok", "warning", "error"]
KNOWN = {
    "scraping_jobs": [status.value for status in JobStatus],
    "background_jobs": ["pending", "processing", "completed", "failed"],
    "search_jobs": ["queued", "processing", "completed", "error", "timeout"],
}
"""Words of each job table's ``status`` that are ours."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. ``code`` is stable; an ``ok`` one may still tell what is worth knowing."""

    severity: Severity
    code: str
    seen: str
    expected: str = ""
    todo: str = ""


@dataclass(frozen=True, slots=True)
class Limits:
    """From where on something counts as wrong."""

    unadopted: timedelta = timedelta(minutes=5)
    unswept_leases: int = 3
    deadline: timedelta = timedelta(minutes=10)
    """A worker hears of a deadline at its next page, so a passed one is not wrong at once."""
    clock: timedelta = timedelta(seconds=2)
    old_transaction: timedelta = timedelta(minutes=10)
    paused: timedelta = timedelta(days=1)
    schedule: timedelta = timedelta(minutes=10)
    list_factor: int = 10
    statement: timedelta = timedelta(seconds=5)
    """Longest time one check may take or wait for a lock."""


USUAL = Limits()


@dataclass(frozen=True, slots=True)
class Patient:
    """What is examined, and how."""

    connection: Connection
    redis_client: "redis.Redis | None"
    settings: Settings
    limits: Limits
    clock: Callable[[], datetime]


Findings = Iterator[Finding]
Check = Callable[[Patient], Findings]
NamedCheck = tuple[str, str, Check]
"""A code, what is true when the check finds nothing, and the check."""


def some(words: Sequence[Any]) -> str:
    """The first five, and how many more there are."""
    rest = f" and {len(words) - 5} more" if len(words) > 5 else ""
    return ", ".join(str(word) for word in words[:5]) + rest
