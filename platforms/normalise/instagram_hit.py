"""What providers tell of an Instagram account and its post, in one form, whoever told it."""

from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from platforms.normalise.numbers import count
from platforms.normalise.text import safe_text
from platforms.pages import Item
from worker.errors import ShapeError

SITE: Final = "https://www.instagram.com"
_KINDS: Final = {"Video": "Video", "Image": "Image", "Sidecar": "Sidecar"}


class Account(msgspec.Struct, frozen=True):
    """One account. Counters are as told; None where nothing was."""

    id: str
    handle: str
    name: str = ""
    avatar_url: str = ""
    verified: bool | None = None
    private: bool | None = None
    followers: Any = None
    following: Any = None
    posts: Any = None
    bio: str = ""
    links: list[str] = []
    category: str = ""


class Post(msgspec.Struct, frozen=True):
    """One post. ``taken_at`` is ISO text or seconds since 1970; ``kind`` is Video, Image or Sidecar, or ""."""

    id: str
    shortcode: str = ""
    url: str = ""
    caption: str = ""
    picture_url: str = ""
    kind: str = ""
    taken_at: Any = None
    likes: Any = None
    comments: Any = None
    views: Any = None


class Hit(msgspec.Struct, frozen=True):
    """One result of a search: an account, and the post that brought it up where there is one."""

    account: Account
    post: Post | None = None
    whole: bool = False
    """Whether the account is told as fully as its profile would tell it."""


def identifier(told: str | int | None) -> str:
    """An id as text; "" for none, which some readers send as 0."""
    text = safe_text("" if told is None else str(told)).strip()
    return "" if text == "0" else text


def handle_of(told: str | None) -> str:
    """A handle without ``@``."""
    return safe_text(told or "").strip().lstrip("@")


def item_of(hit: Hit) -> Item:
    """The result as an item. Raises `ShapeError` (``no_creator_id``, ``no_content_id``)."""
    if not hit.account.id:
        raise ShapeError("no_creator_id", "expected the account's id, seen none")
    if hit.post is not None and not hit.post.id:
        raise ShapeError("no_content_id", "expected the post's id, seen none")
    return Item(hit.account.id, hit.post.id if hit.post else hit.account.id, hit.account.handle, hit)


def kind_of(typename: str | None, is_video: bool | None) -> str:
    """``XDTGraphVideo`` and its like as Video, Image or Sidecar; "" where neither says."""
    for ending, kind in _KINDS.items():
        if (typename or "").endswith(ending):
            return kind
    return {True: "Video", False: "Image", None: ""}[is_video]


def post_url(post: Post) -> str:
    """The post's page as told, else built from its short code."""
    if post.url or not post.shortcode:
        return safe_text(post.url)
    return f"{SITE}/{'reel' if post.kind == 'Video' else 'p'}/{safe_text(post.shortcode)}/"


def profile_url(handle: str) -> str:
    """The account's page; "" without a handle."""
    return f"{SITE}/{handle}" if handle else ""


def moment(told: object) -> datetime | None:
    """A time in UTC; None for what is none. Text without an offset is UTC."""
    if isinstance(told, str):
        try:
            read = datetime.fromisoformat(told.strip())
        except ValueError:
            return None
        return read.replace(tzinfo=UTC) if read.tzinfo is None else read.astimezone(UTC)
    seconds = count(told)
    try:
        return None if not seconds else datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def shown(told: object) -> str:
    """A time as the application reads it, ``2026-01-31T09:30:00.000Z``; "" for what is none."""
    read = moment(told)
    return read.isoformat(timespec="milliseconds").replace("+00:00", "Z") if read else ""
