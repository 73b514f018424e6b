"""What an action would do, and what it did."""

from dataclasses import dataclass, field

from db.queries.selecting import Chosen


@dataclass(frozen=True, slots=True)
class Preview:
    """What an action would do at this moment. ``more`` says that further jobs match, beyond the most of one action."""

    rows: list[Chosen]
    """Jobs that would be changed, oldest first."""
    skipped: dict[str, str]
    """Why others would be left alone, by id."""
    more: bool = False

    @property
    def ids(self) -> list[str]:
        """Ids of the jobs that would be changed."""
        return [row.id for row in self.rows]


@dataclass(slots=True)
class Outcome:
    """What an action did. ``batch`` names it in the events ``admin_action``, and for `undo`."""

    batch: str
    done: list[str] = field(default_factory=list)
    """Ids of the jobs that were changed."""
    skipped: dict[str, str] = field(default_factory=dict)
    """Why others were left alone, by id."""
    notes: dict[str, str] = field(default_factory=dict)
    """What else there is to say of jobs that were changed, by id."""
    creators_dropped: int = 0
    """Stored creators that were deleted on purpose."""
    more: bool = False
    """Whether further jobs match, beyond the most of one action."""
