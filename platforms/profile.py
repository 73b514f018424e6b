"""What is known of a creator, and where it came from."""

from datetime import datetime
from typing import Literal

import msgspec


class Provenance(msgspec.Struct, frozen=True):
    """Where a stored creator came from. ``page`` counts the job's pages from 1."""

    provider: str
    endpoint: str
    adapter_version: int
    fetched_at: datetime
    page: int
    unknown: list[str] = []
    """Paths of numbers that were not told; they are stored as 0, as the application's pages expect."""
    replayed: bool | msgspec.UnsetType = msgspec.UNSET
    """True where the creator was read from the quarantine later; left out elsewhere."""


class Profile(msgspec.Struct, frozen=True, omit_defaults=True):
    """One creator's profile, as kept between jobs. Numbers are None where the provider did not tell them."""

    status: Literal["found", "private", "gone"]
    bio: str = ""
    emails: list[str] = []
    verified: bool | None = None
    followers: int | None = None
    avatar_url: str = ""
    links: list[str] = []
    handle: str = ""
    name: str = ""
    following: int | None = None
    posts: int | None = None
    """Videos or posts published."""
    likes: int | None = None
    """Likes of everything published."""
    views: int | None = None
    country: str = ""
    category: str = ""
    joined: str = ""
    """When the account was made, as the provider tells it."""
