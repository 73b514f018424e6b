"""What the database says of a job at one moment."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from db.queries.explaining import Fleet, Row, Standing, Task

Answer = tuple[str, str]
"""A stable code, and a sentence for people."""


@dataclass(frozen=True, slots=True)
class Picture:
    """The row, its task, and what surrounds them, read in one snapshot."""

    row: Row | None
    task: Task | None
    fleet: Fleet
    standing: Standing | None
    attempts: list[dict[str, Any]]

    @property
    def now(self) -> datetime:
        """The database's moment at the snapshot."""
        return self.fleet.now

    def moment(self, at: datetime | None) -> str:
        """A time in UTC with its distance from now."""
        if at is None:
            return "never"
        at = at if at.tzinfo else at.replace(tzinfo=UTC)
        return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC ({relative(at, self.now)})"


def relative(at: datetime, now: datetime) -> str:
    """How far a time is from now: ``in 4 min``, ``12 s ago``."""
    seconds = round((at - now).total_seconds())
    distance = abs(seconds)
    for size, unit in ((86_400, "d"), (3600, "h"), (60, "min")):
        if distance >= size:
            text = f"{distance // size} {unit}"
            break
    else:
        text = f"{distance} s"
    return f"in {text}" if seconds > 0 else f"{text} ago"


def words(evidence: Any) -> str:
    """What a crash left behind, as words."""
    return ", ".join(f"{name} {value}" for name, value in evidence.items()) if isinstance(evidence, dict) else ""


Rule = Callable[[Picture], Answer | None]
"""One cause: it answers when it is the one."""
