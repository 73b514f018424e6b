"""What goes to a provider and what comes back: requests, answers, and the pages that are read from them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any, Final, TypeAlias

import msgspec

from platforms.outcome import Judgement

Cursor: TypeAlias = int | str
"""A provider's own page marker: an integer, or opaque text."""

Count = Annotated[int, msgspec.Meta(ge=0)]


ACCOUNT = "{account}"

OPENED: Final = "opened"
"""The end of a walk that others go on from; it says nothing about why a job ended."""


@dataclass(frozen=True, slots=True)
class Request:
    """One call: a path below the provider's base URL and its query parameters. The key is added by the transport.

    With a ``body`` (JSON, unless ``content_type`` says otherwise) it is a POST. `ACCOUNT` in the path or a parameter
    stands for our own account's id, which the transport fills in.
    """

    path: str
    params: Mapping[str, str]
    body: bytes | None = None
    content_type: str = "application/json"
    once: bool = False
    """It starts something that is paid for: without an answer it is not sent again at once."""


@dataclass(frozen=True, slots=True)
class Response:
    """One complete answer. ``headers`` keys are lower case; ``body`` is decompressed."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Walk(msgspec.Struct, frozen=True):
    """One way through the pages of one source. ``cursor`` is the next to ask for, ``ordinal`` counts pages so far."""

    word: str
    """What it looks for: a keyword, a hashtag without ``#``, a handle."""
    cursor: Cursor
    ordinal: Count = 0
    ended: bool = False
    end_reason: str | None = None
    barren: Count = 0
    """Pages in a row that brought nothing new."""
    again: Count = 0
    """Pages still to come that an earlier walk may have read already, so that nothing new in them proves nothing."""
    source: str = "search"
    """Which of the adapter's sources it reads."""
    start: Cursor = 0
    """The cursor it began with, where it begins again when the provider has lost its place."""
    resets: Count = 0
    once: bool = False
    """Its next call must not be made twice: a new slice begins at ``start``, to see whether the call had worked."""


def start_walk(source: str, word: str, cursor: Cursor) -> Walk:
    """A walk at its beginning."""
    return Walk(word, cursor, source=source, start=cursor)


@dataclass(frozen=True, slots=True)
class Item:
    """One readable result of a page. ``creator_id`` is the platform's stable id, never the handle.

    It is "" where the provider does not tell it.
    """

    creator_id: str
    content_id: str
    handle: str
    raw: Any

    @property
    def key(self) -> str:
        """What equal items share when a job keeps each creator once: the stable id, else the handle, else nothing."""
        return self.creator_id or (f"@{self.handle.casefold()}" if self.handle else self.content_id)


@dataclass(frozen=True, slots=True)
class Unreadable:
    """One item that could not be read: its JSON as it came, and a stable reason."""

    raw: bytes
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Page:
    """One judged and parsed answer. ``credits`` is what the call cost, in the provider's own unit."""

    items: tuple[Item, ...] = ()
    unreadable: tuple[Unreadable, ...] = ()
    next_cursor: Cursor | None = None
    """None only when ``ended``."""
    ended: bool = False
    credits: int = 0
    end_reason: str = "exhausted"
    """Why the walk ended, where ``ended``."""
    walks: tuple[Walk, ...] = ()
    """Further walks this answer opens, e.g. searches by the words of a target's profile."""
    step: bool = False
    """A page that by its nature holds no items, and so does not count as one with nothing new."""
    not_ready: timedelta | None = None
    """The provider is still at work: ask the same again after this. Nothing else of the page is used."""
    lost_place: bool = False
    """The provider no longer knows the cursor: the walk begins again. Nothing else of the page is used."""
    dropped: int = 0
    """Readable results that the search must not give, e.g. the target itself and private accounts."""
    start: Cursor | None = None
    """Where the walk begins again from now on, should the provider lose its place; None leaves that as it was."""
    run_id: str | None = None
    """The provider's id of a run it started for this job; kept in the row's ``run_id``."""
    once: bool = False
    """The walk's next call must not be made twice (`Walk.once`)."""
    judgement: Judgement | None = None
    """What the answer means where only its walk tells, e.g. a run that failed with nothing. Nothing else is used."""
