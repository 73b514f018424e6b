"""TikTok's own video object ("aweme"), as readers of its app API pass it on: only what is stored is decoded.

Field facts from 2,779 recorded items, May to September 2025. A missing creator or id, or another type where one is
named here, makes the item unreadable; counters take any type, for `count` to judge.
"""

from typing import Any

import msgspec


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
    statistics: Counters | None = None
    text_extra: list[TextExtra] | None = None
