"""TikTok's own video object ("aweme"), as readers of its app API pass it on: only what is stored is decoded.

Field facts from 2,779 recorded items, May to September 2025. A missing creator or id, or another type where one is
named here, makes the item unreadable; counters take any type, for `count` to judge.
"""

from typing import Any

import msgspec

from platforms.normalise.text import safe_text
from platforms.pages import Item
from worker.errors import ShapeError


class Picture(msgspec.Struct, frozen=True):
    """The same picture in several formats; the first two are HEIC or WebP, the last is JPEG."""

    url_list: list[str | None] | None = None


class Author(msgspec.Struct, frozen=True):
    """``uid`` is stable, ``unique_id`` is the handle. ``verification_type`` is always 0 and tells nothing."""

    uid: str | int
    unique_id: str | None = None
    nickname: str | None = None
    signature: str | None = None
    follower_count: Any = None
    avatar_medium: Picture | None = None
    custom_verify: str | None = None
    enterprise_verify_reason: str | None = None


class Counters(msgspec.Struct, frozen=True):
    """``digg_count`` is likes."""

    play_count: Any = None
    digg_count: Any = None
    comment_count: Any = None
    share_count: Any = None


class TextExtra(msgspec.Struct, frozen=True):
    """A marked stretch of the caption: type 1 is a hashtag (name without ``#``), 0 a mention."""

    type: Any = None
    hashtag_name: str | None = None


class Aweme(msgspec.Struct, frozen=True):
    """One video."""

    aweme_id: str | int
    author: Author
    desc: str | None = None
    share_url: str | None = None
    create_time: Any = None
    """When it was published, epoch seconds."""
    statistics: Counters | None = None
    text_extra: list[TextExtra] | None = None


def item_of(aweme: Aweme) -> Item:
    """The video as an item. Raises `ShapeError` (``no_creator_id``, ``no_content_id``)."""
    creator_id, content_id = identifier(aweme.author.uid), identifier(aweme.aweme_id)
    if not creator_id:
        raise ShapeError("no_creator_id", "expected the author's uid, seen an empty one")
    if not content_id:
        raise ShapeError("no_content_id", "expected the video's aweme_id, seen an empty one")
    return Item(creator_id, content_id, safe_text(aweme.author.unique_id or "").strip().lstrip("@"), aweme)


def identifier(told_id: str | int) -> str:
    """An id as text; "" for none. 0 is what the app API sends for nobody."""
    text = safe_text(str(told_id)).strip()
    return "" if text == "0" else text
