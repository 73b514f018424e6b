"""What filters ask about a stored creator, whatever its shape."""

from dataclasses import dataclass
from datetime import datetime

import msgspec


@dataclass(frozen=True, slots=True)
class Facts:
    """None is unknown, which is not zero and not false."""

    followers: int | None
    verified: bool | None
    emails: tuple[str, ...]
    bio: str
    private: bool | None = None
    country: str = ""
    """Two letters, upper case; "" where the provider did not tell."""
    views: int | None = None
    likes: int | None = None
    posted_at: datetime | None = None
    """When the found content was published, UTC."""


class Document(msgspec.Struct, frozen=True):
    """A creator as it is stored; the struct *is* the JSON that the application's pages read."""

    def facts(self) -> Facts:
        """What filters may ask. A number that is stored as 0 because it was not told is None here."""
        raise NotImplementedError
