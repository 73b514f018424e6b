"""What a YouTube search tells of one result, whichever provider told it."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from platforms.normalise.numbers import count
from platforms.normalise.text import safe_text

CHANNEL_ID: Final = re.compile(r"UC[0-9A-Za-z_-]{22}")
"""A channel's stable id."""


class Hit(msgspec.Struct, frozen=True):
    """A video, short, stream or channel, which has no ``video_id``.

    Counters are as they came, None where the search does not tell them.
    """

    video_id: str = ""
    name: str = ""
    """The channel's title."""
    avatar_url: str = ""
    title: str = ""
    text: str = ""
    """The video's description."""
    url: str = ""
    published_time: str = ""
    published_text: str = ""
    seconds: Any = None
    views: Any = None
    likes: Any = None
    comments: Any = None
    followers: Any = None
    bio: str = ""
    """The channel's description, where a channel was found."""
    verified: bool | None = None
    word: str = ""
    """What was searched for; "" where it is not known any more."""


def first_count(*told: object) -> int | None:
    """The first of several tellings of one counter that is a number."""
    return next((number for number in map(count, told) if number is not None), None)


def handle_of(told: str | None) -> str:
    """A handle without ``@``; "" for the ``channel/UC...`` that stands where a channel has none."""
    handle = safe_text(told or "").strip().lstrip("@")
    return "" if "/" in handle or CHANNEL_ID.fullmatch(handle) else handle


def channel_id_of(told_id: str | None, told_handle: str | None = None) -> str:
    """A channel's stable id, by itself or from ``channel/UC...``; "" when neither tells it."""
    identifier = safe_text(told_id or "").strip()
    in_handle = safe_text(told_handle or "").strip().rpartition("/")[2]
    return identifier or (in_handle if CHANNEL_ID.fullmatch(in_handle) else "")


def largest_picture(pictures: Sequence[tuple[str | None, object]]) -> str:
    """The link of the widest picture, given as (link, width); "" when there is none.

    The picture host sends JPEG for a link without a format mark; ``-rw`` in its size part asks for WebP.
    """
    told = [(url, first_count(width) or 0) for url, width in pictures if url]
    best = max(told, key=lambda one: ("-rw" not in one[0].rpartition("=")[2], one[1]), default=("", 0))[0]
    return safe_text(best)


def moment(told: str) -> datetime | None:
    """A time in ISO 8601 as UTC; None when it is none. One without a zone is UTC."""
    try:
        read = datetime.fromisoformat(told)
        return read.astimezone(UTC) if read.tzinfo else read.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None


def as_utc(told: str) -> str:
    """A time in ISO 8601 as UTC text ending in ``Z``; "" when it is none."""
    read = moment(told)
    return "" if read is None else read.isoformat().replace("+00:00", "Z")
