"""What the application's table ``system_configurations`` may say to us: every key, its type, default and meaning.

``docs/configuration.md`` lists the same; a test compares the two.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, Generic, TypeVar

T = TypeVar("T")

LARGEST_NUMBER = 2**31 - 1
LONGEST = timedelta(days=3650)
UNITS: Final = {"ms": "milliseconds", "s": "seconds", "m": "minutes", "h": "hours", "d": "days", "day": "days"}


@dataclass(frozen=True, slots=True)
class Kind(Generic[T]):
    """A type of value: how its text is read, and how a value is written."""

    name: str
    expected: str
    read: Callable[[str], T]
    """Raises `ValueError` for a text that is none."""
    write: Callable[[T], str]


@dataclass(frozen=True, slots=True)
class Key(Generic[T]):
    """One configuration: ``name`` is its category and key with a dot between."""

    name: str
    kind: Kind[T]
    default: T
    meaning: str
    least: T | None = None

    def read(self, text: str) -> T:
        """The value that a text stands for. Raises `ValueError` that says what was seen and what is expected."""
        try:
            value = self.kind.read(text.strip())
        except ValueError:
            raise ValueError(f"{self.name} is {text[:100]!r}; expected {self.expected}") from None
        if self.least is not None and value < self.least:  # type: ignore[operator]  # only ordered kinds have a least
            raise ValueError(f"{self.name} is {text[:100]!r}; expected {self.expected}")
        return value

    @property
    def expected(self) -> str:
        """What a text must be, in words."""
        least = "" if self.least is None else f", at least {self.kind.write(self.least)}"
        return self.kind.expected + least


def _number(text: str) -> int:
    if not re.fullmatch("[0-9]{1,10}", text) or int(text) > LARGEST_NUMBER:
        raise ValueError(text)
    return int(text)


def _duration(text: str) -> timedelta:
    # A number alone is milliseconds: rows of the application that hold one were written so.
    found = re.fullmatch(r"([0-9]{1,15})\s*(ms|s|m|h|d|days?)?", text.casefold())
    if not found:
        raise ValueError(text)
    unit = UNITS[(found[2] or "ms").replace("days", "d")]
    try:
        value = timedelta(**{unit: int(found[1])})
    except OverflowError:
        raise ValueError(text) from None
    if value > LONGEST:
        raise ValueError(text)
    return value


def _duration_text(value: timedelta) -> str:
    milliseconds = round(value / timedelta(milliseconds=1))
    for unit, size in (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000)):
        if milliseconds and milliseconds % size == 0:
            return f"{milliseconds // size}{unit}"
    return f"{milliseconds}ms"


def _boolean(text: str) -> bool:
    if text.casefold() not in ("true", "false"):
        raise ValueError(text)
    return text.casefold() == "true"


NUMBER: Final = Kind("number", f"a whole number from 0 to {LARGEST_NUMBER}", _number, str)
DURATION: Final = Kind(
    "duration",
    "a whole number with ms, s, m, h, d or days, or milliseconds as a number alone, at most 3650 days",
    _duration,
    _duration_text,
)
BOOLEAN: Final = Kind("boolean", "true or false", _boolean, lambda value: str(value).lower())
STRING: Final = Kind("string", "a text", str, str)

MOMENT = timedelta(seconds=1)

STANDARD_JOB_TIMEOUT: Final = Key(
    "timeouts.standard_job_timeout",
    DURATION,
    timedelta(minutes=60),
    "`timeout_at` of a scraping job that has none, counted from its first claim; goes before "
    "`TRAWLER_JOB_TIMEOUT_SECONDS`",
    least=MOMENT,
)
CLEANUP_TIMEOUT: Final = Key(
    "timeouts.cleanup_timeout_hours",
    DURATION,
    timedelta(hours=24),
    "for how long nobody has touched a scraping job that `cleanup_jobs` sets `timeout`; a number alone is too short",
    # A bare 24 would be milliseconds, and every job would be late.
    least=timedelta(hours=1),
)
TRIAL_DAYS: Final = Key("trial.days", NUMBER, 7, "length of a trial that begins with the onboarding's end", least=1)
WELCOME_DELAY: Final = Key(
    "email.welcome_delay", DURATION, timedelta(minutes=10), "from the sign-up to the mail with the first steps"
)
ABANDONMENT_DELAY: Final = Key(
    "email.abandonment_delay",
    DURATION,
    timedelta(hours=2),
    "from the sign-up to the mail about a set-up that was not finished",
)
TRIAL_DAY_2_DELAY: Final = Key(
    "email.trial_day_2_delay", DURATION, timedelta(days=2), "from the trial's start to its mail with tips"
)
TRIAL_DAY_5_DELAY: Final = Key(
    "email.trial_day_5_delay", DURATION, timedelta(days=5), "from the trial's start to its mail of what was reached"
)
TRIAL_EXPIRY_DELAY: Final = Key(
    "email.trial_expiry_delay", DURATION, timedelta(days=7), "from the trial's start to the mail that it ends"
)
COMPLETED_RETENTION_DAYS: Final = Key(
    "cleanup.completed_jobs_retention_days", NUMBER, 30, "age at which a completed scraping job may go", least=1
)
ERROR_RETENTION_DAYS: Final = Key(
    "cleanup.error_jobs_retention_days", NUMBER, 7, "age at which a job that ended as `error` may go", least=1
)
CANCELLED_RETENTION_DAYS: Final = Key(
    "cleanup.cancelled_jobs_retention_days", NUMBER, 7, "age at which a cancelled job may go", least=1
)
TIMEOUT_RETENTION_DAYS: Final = Key(
    "cleanup.timeout_jobs_retention_days", NUMBER, 7, "age at which a job that ended as `timeout` may go", least=1
)
EVENT_RETENTION_DAYS: Final = Key(
    "event_sourcing.event_retention_days", NUMBER, 365, "age at which events that Trawler raised may go", least=30
)
KEYS: Final[dict[str, Key[Any]]] = {
    key.name: key
    for key in (
        STANDARD_JOB_TIMEOUT,
        CLEANUP_TIMEOUT,
        TRIAL_DAYS,
        WELCOME_DELAY,
        ABANDONMENT_DELAY,
        TRIAL_DAY_2_DELAY,
        TRIAL_DAY_5_DELAY,
        TRIAL_EXPIRY_DELAY,
        COMPLETED_RETENTION_DAYS,
        ERROR_RETENTION_DAYS,
        CANCELLED_RETENTION_DAYS,
        TIMEOUT_RETENTION_DAYS,
        EVENT_RETENTION_DAYS,
    )
}
"""Every key by its name."""
