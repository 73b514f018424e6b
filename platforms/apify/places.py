"""Where a search stands, as kept in the cursors of its walks: all that a crash must not lose."""

from typing import TypeVar

import msgspec

from platforms.pages import Cursor
from worker.errors import ShapeError


class Candidate(msgspec.Struct, frozen=True):
    """A run that may be ours. Its input is in the store."""

    run: str
    dataset: str
    store: str


class Start(msgspec.Struct, frozen=True):
    """Before a run: runs that began after ``since`` may be ours. Start one, check a candidate, or look again."""

    since: str
    """When the newest run had begun as we first looked, by Apify's clock; "" where there was none."""
    clear: bool = False
    """Whether none of ours is there, so that one may be started."""
    candidates: list[Candidate] = []


class Waiting(msgspec.Struct, frozen=True):
    """A run was started."""

    run: str
    dataset: str


class Reading(msgspec.Struct, frozen=True):
    """A run has ended, and its dataset is read from ``offset``; ``found`` counts the results so far."""

    run: str
    dataset: str
    status: str
    finished_at: str = ""
    offset: int = 0
    found: int = 0


P = TypeVar("P", Start, Waiting, Reading)


def write(place: Start | Waiting | Reading) -> str:
    """The place as a cursor."""
    return msgspec.json.encode(place).decode()


def read(kind: type[P], cursor: Cursor) -> P:
    """The place in a cursor that `write` made."""
    return msgspec.json.decode(str(cursor), type=kind)


def identifier(told: str, what: str) -> str:
    """An id that is put into a path. Raises `ShapeError` (``wrong_id``) for one that is none."""
    if not (told.isascii() and told.isalnum() and len(told) <= 100):
        raise ShapeError("wrong_id", f"expected the id of a {what}, letters and digits, seen {told[:100]!r}")
    return told
