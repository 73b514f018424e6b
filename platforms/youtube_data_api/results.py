"""One page of ``search.list``. Facts from recorded fixtures and the reference pages.

``id`` is an object whose kind tells video, channel or playlist, whatever ``type`` was asked for. Texts hold HTML
entities, and descriptions are cut. There are no counts here, and no handle.
"""

from html import unescape
from typing import Any

import msgspec

from platforms.normalise.text import safe_text
from platforms.normalise.youtube_hit import Hit, channel_id_of, largest_picture
from platforms.pages import Item
from platforms.reading import ListReader
from worker.errors import ShapeError


class Identity(msgspec.Struct, frozen=True, rename="camel"):
    """What was found."""

    kind: str | None = None
    video_id: str | None = None
    channel_id: str | None = None


class Picture(msgspec.Struct, frozen=True):
    """One size of a picture; old answers tell no width."""

    url: str | None = None
    width: Any = None


class Snippet(msgspec.Struct, frozen=True, rename="camel"):
    """What is told of it. ``channelTitle`` is empty for channels deleted since."""

    channel_id: str | None = None
    channel_title: str | None = None
    title: str | None = None
    description: str | None = None
    published_at: str | None = None
    thumbnails: dict[str, Picture | None] | None = None


class Result(msgspec.Struct, frozen=True):
    """One result."""

    id: Identity
    snippet: Snippet

    @property
    def playlist(self) -> bool:
        """Whether it is a playlist, which no job looks for."""
        return self.id.kind == "youtube#playlist"


class Answer(msgspec.Struct, rename="camel"):
    """What every reading of a page needs. ``totalResults`` is an estimate and is not read."""

    kind: Any = None
    next_page_token: Any = None


class TypedPage(Answer):
    """A page with every item readable."""

    items: list[Result] | None = None


class RawPage(Answer):
    """A page whose items are read one by one."""

    items: list[msgspec.Raw] | None = None


def item_of(result: Result) -> Item:
    """The result as an item. Raises `ShapeError` (``unknown_kind``, ``no_content_id``, ``no_creator_id``)."""
    identity, snippet = result.id, result.snippet
    if identity.kind == "youtube#channel":
        channel = channel_id_of(identity.channel_id)
        if not channel:
            raise ShapeError("no_creator_id", "expected the channel's id, seen an empty one")
        return Item(channel, channel, "", _channel_hit(snippet))
    if identity.kind != "youtube#video":
        raise ShapeError("unknown_kind", f"expected a video or a channel, seen {str(identity.kind)[:40]!r}")
    video, channel = safe_text(identity.video_id or "").strip(), channel_id_of(snippet.channel_id)
    if not video:
        raise ShapeError("no_content_id", "expected the video's id, seen an empty one")
    if not channel:
        raise ShapeError("no_creator_id", "expected the snippet's channelId, seen an empty one")
    return Item(channel, video, "", _video_hit(snippet, video))


def pictures(thumbnails: dict[str, Picture | None] | None) -> str:
    """The largest of a picture's sizes, by width, else by the order in which they are named."""
    order = {"default": 1, "medium": 2, "high": 3, "standard": 4, "maxres": 5}
    told = [(picture.url, picture.width or order.get(size)) for size, picture in (thumbnails or {}).items() if picture]
    return largest_picture(told)


def _video_hit(snippet: Snippet, video: str) -> Hit:
    return Hit(
        video_id=video,
        name=_text(snippet.channel_title),
        title=_text(snippet.title),
        text=_text(snippet.description),
        published_time=snippet.published_at or "",
    )


def _channel_hit(snippet: Snippet) -> Hit:
    return Hit(
        name=_text(snippet.channel_title) or _text(snippet.title),
        avatar_url=pictures(snippet.thumbnails),
        bio=_text(snippet.description),
    )


def _text(told: str | None) -> str:
    return unescape(told or "")


_RESULT = msgspec.json.Decoder(Result)


def _is_playlist(raw: msgspec.Raw) -> bool:
    try:
        return _RESULT.decode(raw).playlist
    except msgspec.MsgspecError:
        return False


def _entries(page: TypedPage) -> list[Result] | None:
    return None if page.items is None else [one for one in page.items if not one.playlist]


def _raw_entries(page: RawPage) -> list[msgspec.Raw] | None:
    return None if page.items is None else [raw for raw in page.items if not _is_playlist(raw)]


def dropped(page: TypedPage | RawPage) -> int:
    """How many results are playlists."""
    if isinstance(page, RawPage):
        return sum(map(_is_playlist, page.items or ()))
    return sum(one.playlist for one in page.items or ())


READER = ListReader(TypedPage, RawPage, _entries, _raw_entries, Result, item_of)
"""Reads a page of results."""
