"""Where a page of a list or of results ended, so that the next one goes on behind it."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class After:
    """A row's place: when it was created, as its column has it, and its id where several are of one moment."""

    created_at: datetime
    id: str
