"""The days of a video query. One query spans at most 30 days, so a walk goes back in time, window by window."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Final

import msgspec

from platforms.pages import Walk

WINDOW: Final = timedelta(days=29)
"""From the first to the last day of a window: 30 days with both."""
EARLIEST: Final = date(2017, 9, 1)
"""Where every walk ends at last: TikTok under this name is as old."""
DEFAULT_DAYS: Final = 365
"""How far back a walk goes when the job names no time: each month costs a request and more of a day's thousand."""
MOST_EMPTY: Final = 10
"""Pages in a row without a video that one window is allowed, though more is announced."""

_DAYS: Final[Mapping[str, int]] = {
    "yesterday": 1,
    "this-week": 7,
    "this-month": 30,
    "last-3-months": 91,
    "last-6-months": 182,
}


class Place(msgspec.Struct, frozen=True):
    """The cursor of a walk: a window, and the place in its results."""

    last: str
    """The window's last day, ``YYYYMMDD``, UTC."""
    oldest: str
    """The first day of the whole walk."""
    cursor: int = 0
    search_id: str = ""
    """Goes with the cursor; "" at a window's beginning."""
    empty: int = 0
    """Pages in a row without a video."""

    @property
    def first(self) -> str:
        """The window's first day."""
        return max(self.oldest, _text(_day(self.last) - WINDOW))

    @property
    def text(self) -> str:
        """As a walk keeps it."""
        return msgspec.json.encode(self).decode()

    @property
    def beginning(self) -> "Place":
        """The beginning of this window."""
        return Place(self.last, self.oldest)

    def older(self) -> "Place | None":
        """The window before this one; None at the walk's first day."""
        if self.first <= self.oldest:
            return None
        return Place(_text(_day(self.first) - timedelta(days=1)), self.oldest)


_PLACE = msgspec.json.Decoder(Place)


def place_of(walk: Walk) -> Place:
    """The place in a walk's cursor."""
    return _PLACE.decode(str(walk.cursor))


def newest(date_posted: str | None, now: datetime) -> Place:
    """Where a walk begins: today's window, down to as far back as the job asks, in the words of ``date_posted``.

    ``all-time`` goes back to `EARLIEST`; nothing, and a word that is not known, a year.
    """
    today = now.astimezone(UTC).date()
    word = (date_posted or "").strip().lower().replace("_", "-")
    back = _DAYS.get(word, DEFAULT_DAYS)
    oldest = EARLIEST if word == "all-time" else max(EARLIEST, today - timedelta(days=back))
    return Place(_text(today), _text(oldest))


def _text(day: date) -> str:
    return day.strftime("%Y%m%d")


def _day(text: str) -> date:
    return datetime.strptime(text, "%Y%m%d").replace(tzinfo=UTC).date()
