"""What an adapter gives and what it is given. Pure data and pure functions: no I/O, no database.

A *capability* is (platform, search kind, provider). The page loop asks an `Adapter` for a request, sends it through
the transport, lets the adapter judge and parse the response, and stores what `normalise` makes of the new items.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Literal, Protocol, TypeAlias

import msgspec

from platforms.outcome import Judgement

Cursor: TypeAlias = int | str
"""A provider's own page marker: an integer, or opaque text."""


class SearchKind(StrEnum):
    """What a job searches by."""

    KEYWORD = "keyword"
    SIMILAR = "similar"


class StaleCursor(StrEnum):
    """What to do with a saved cursor that is expired, or of another adapter version."""

    CONTINUE = "continue"
    RESTART_AND_DEDUPE = "restart_and_dedupe"
    STOP_PARTIAL = "stop_partial"


@dataclass(frozen=True, slots=True)
class Query:
    """What one job asks for, folded and checked. ``platform`` is lower case; exactly one of the two targets is set."""

    platform: str
    kind: SearchKind
    keywords: tuple[str, ...] = ()
    target_username: str | None = None
    region: str = "US"
    dedupe: Literal["creator", "video"] = "creator"
    enrich: Literal["inline", "none"] = "inline"
    options: Mapping[str, str] = field(default_factory=dict)
    """Search options passed on to the provider as they are, e.g. ``sort_by``, ``date_posted``."""


@dataclass(frozen=True, slots=True)
class Capability:
    """Name and fixed facts of one adapter."""

    platform: str
    kind: SearchKind
    provider: str
    endpoint: str
    version: int
    cursor_lifetime: timedelta | None
    """How long a saved cursor stays good; None where the provider's cursors do not expire."""
    stale_cursor: StaleCursor


@dataclass(frozen=True, slots=True)
class Request:
    """One call: a path below the provider's base URL and its query parameters. The key is added by the transport."""

    path: str
    params: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Response:
    """One complete answer. ``headers`` keys are lower case; ``body`` is decompressed."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Item:
    """One readable result of a page. ``creator_id`` is the platform's stable id, never the handle."""

    creator_id: str
    content_id: str
    handle: str
    raw: Any


@dataclass(frozen=True, slots=True)
class Unreadable:
    """One item that could not be read: its JSON as it came, and a stable reason."""

    raw: bytes
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Page:
    """One judged and parsed answer. ``credits`` is what the call cost; ``next_cursor`` is None only when ``ended``."""

    items: tuple[Item, ...]
    unreadable: tuple[Unreadable, ...]
    next_cursor: Cursor | None
    ended: bool
    credits: int


class Provenance(msgspec.Struct, frozen=True):
    """Where a stored creator came from. ``page`` counts the job's pages from 1."""

    provider: str
    endpoint: str
    adapter_version: int
    fetched_at: datetime
    page: int
    unknown: list[str] = []
    """Paths of numbers that were not told; they are stored as 0, as the application's pages expect."""


class Profile(msgspec.Struct, frozen=True, omit_defaults=True):
    """One creator's profile, as kept between jobs. Numbers are None where the provider did not tell them."""

    status: Literal["found", "private", "gone"]
    bio: str = ""
    emails: list[str] = []
    verified: bool | None = None
    followers: int | None = None
    avatar_url: str = ""
    links: list[str] = []


class ProfileAdapter(Protocol):
    """Looks one creator up; used to enrich thin search results."""

    @property
    def credits(self) -> int:
        """What one look-up costs when the answer does not tell."""

    def request(self, handle: str) -> Request:
        """The call for one handle (without ``@``)."""

    def judge(self, response: Response) -> Judgement:
        """What the answer means."""

    def parse(self, response: Response) -> tuple[Profile, int]:
        """The profile and its cost in credits. Raises `ShapeError` when the answer has another shape."""


class Adapter(Protocol):
    """One capability."""

    @property
    def capability(self) -> Capability:
        """Name and fixed facts."""

    @property
    def profiles(self) -> ProfileAdapter | None:
        """The look-up that fills what search results lack; None where they lack nothing."""

    @property
    def first_cursor(self) -> Cursor:
        """The cursor of a walk's first page."""

    def request(self, query: Query, word: str, cursor: Cursor) -> Request:
        """The call for one page of one word's walk."""

    def judge(self, response: Response) -> Judgement:
        """What the answer means, by status, headers and error body. Never raises."""

    def parse(self, response: Response, cursor: Cursor) -> Page:
        """The page in an answer judged ``ok``; ``cursor`` is the one asked for.

        An item that cannot be read goes to ``unreadable``. Raises `ShapeError` when the whole page has another shape.
        """

    def normalise(
        self, item: Item, profile: Profile | None, enhancement_status: str, provenance: Provenance
    ) -> msgspec.Struct:
        """The creator JSON of one item, as the application reads it (docs/creator_json.md)."""
