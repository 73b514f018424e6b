"""The opaque text by which a page is followed by the next."""

import base64
import binascii
from datetime import datetime
from uuid import UUID

import msgspec

from console.api.problems import Problem, Wrong
from db.queries.api_places import After


def cursor_of(place: After) -> str:
    """A place as text for an address."""
    told = msgspec.json.encode([place.created_at.isoformat(), place.id])
    return base64.urlsafe_b64encode(told).decode().rstrip("=")


def place_of(cursor: str | None) -> After | None:
    """The place that a cursor names; None without one. Raises `Problem` 422 for one that is none of ours."""
    if cursor is None:
        return None
    try:
        told = base64.b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        moment, row = msgspec.json.decode(told, type=tuple[str, str])
        return After(datetime.fromisoformat(moment), str(UUID(row)))
    except (ValueError, binascii.Error, msgspec.MsgspecError):
        wrong = Wrong(
            "cursor is none that was given here; expected next_cursor of the page before; leave it out to begin anew",
            parameter="cursor",
        )
        raise Problem(422, "invalid_request", wrong.detail, errors=[wrong]) from None
