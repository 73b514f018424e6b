"""One YouTube search answer: videos, shorts, streams, channels and shelves. Facts from pages recorded in June 2025.

A page holds about 20 videos and shorts, and up to 48 more in shelves. The shorts of a shelf come without any channel:
nobody can tell whose they are, so they are dropped and counted, not kept as unreadable. Anywhere else a result
without a channel is another shape than the documented one, and is unreadable.
"""

from collections.abc import Iterator
from itertools import chain
from typing import Any

import msgspec

from platforms.normalise.text import safe_text
from platforms.normalise.youtube_hit import Hit, channel_id_of, first_count, handle_of
from platforms.pages import Item
from platforms.reading import ListReader
from platforms.scrapecreators.client import Answer
from worker.errors import ShapeError


class Owner(msgspec.Struct, frozen=True):
    """Whose video it is. ``handle`` has no ``@`` and is ``channel/UC...`` for a channel without one."""

    id: str | None = None
    title: str | None = None
    handle: str | None = None
    thumbnail: str | None = None

    @property
    def known(self) -> bool:
        """Whether anything says who it is."""
        return bool(channel_id_of(self.id, self.handle) or handle_of(self.handle))


class Result(msgspec.Struct, frozen=True, rename="camel"):
    """A video, short, stream (``channel`` says whose) or a channel (``channelName``; ``id`` is the channel's own)."""

    id: str
    type: str | None = None
    url: str | None = None
    title: str | None = None
    description: str | None = None
    channel: Owner | None = None
    view_count_int: Any = None
    view_count_text: Any = None
    like_count_int: Any = None
    comment_count_int: Any = None
    published_time: str | None = None
    published_time_text: str | None = None
    length_seconds: Any = None
    channel_name: str | None = None
    handle: str | None = None
    thumbnail: str | None = None
    subscriber_count_int: Any = None
    subscriber_count_text: Any = None
    badges: list[Any] | None = None


class Shelf(msgspec.Struct, frozen=True):
    """A row of further results, e.g. ``Shorts`` or ``People also watched``."""

    items: list[Result] | None = None


class RawShelf(msgspec.Struct, frozen=True):
    """The same with its items as they came."""

    items: list[msgspec.Raw] | None = None


class SearchAnswer(Answer, rename={"continuation_token": "continuationToken"}):
    """What every reading of a page needs."""

    continuation_token: Any = None


class TypedPage(SearchAnswer):
    """A page with every item readable."""

    videos: list[Result] | None = None
    shorts: list[Result] | None = None
    lives: list[Result] | None = None
    channels: list[Result] | None = None
    shelves: list[Shelf] | None = None


class RawPage(SearchAnswer):
    """A page whose items are read one by one."""

    videos: list[msgspec.Raw] | None = None
    shorts: list[msgspec.Raw] | None = None
    lives: list[msgspec.Raw] | None = None
    channels: list[msgspec.Raw] | None = None
    shelves: list[msgspec.Raw] | None = None


_RESULT = msgspec.json.Decoder(Result)
_SHELF = msgspec.json.Decoder(RawShelf)


def _entries(page: TypedPage) -> list[Result] | None:
    lists = (page.videos, page.shorts, page.lives, page.channels)
    if page.shelves is None and all(one is None for one in lists):
        return None
    shelved = [one for shelf in page.shelves or () for one in shelf.items or () if not _nobodys(one)]
    return [*chain.from_iterable(one or () for one in lists), *shelved]


def _raw_entries(page: RawPage) -> list[msgspec.Raw] | None:
    lists = (page.videos, page.shorts, page.lives, page.channels)
    if page.shelves is None and all(one is None for one in lists):
        return None
    return [*chain.from_iterable(one or () for one in lists), *(raw for raw, lost in _shelved(page) if not lost)]


def dropped(page: TypedPage | RawPage) -> int:
    """How many results of shelves say nothing of whose they are."""
    if isinstance(page, RawPage):
        return sum(lost for _, lost in _shelved(page))
    return sum(_nobodys(one) for shelf in page.shelves or () for one in shelf.items or ())


def _shelved(page: RawPage) -> Iterator[tuple[msgspec.Raw, bool]]:
    """Each item of the shelves, and whether it is nobody's. A shelf of another shape is an item itself: unreadable."""
    for shelf in page.shelves or ():
        try:
            items = _SHELF.decode(shelf).items
        except msgspec.MsgspecError:
            yield shelf, False
            continue
        for item in items or ():
            try:
                yield item, _nobodys(_RESULT.decode(item))
            except msgspec.MsgspecError:
                yield item, False


def _nobodys(result: Result) -> bool:
    return result.type != "channel" and (result.channel is None or not result.channel.known)


def item_of(result: Result) -> Item:
    """The result as an item. Raises `ShapeError` (``no_content_id``, ``no_channel``)."""
    identifier = safe_text(result.id).strip()
    if not identifier:
        raise ShapeError("no_content_id", "expected the result's id, seen an empty one")
    if result.type == "channel":
        return Item(identifier, identifier, handle_of(result.handle), _channel_hit(result))
    if _nobodys(result):
        raise ShapeError("no_channel", "expected a channel with an id or a handle, seen neither")
    owner = result.channel or Owner()
    return Item(
        channel_id_of(owner.id, owner.handle),
        identifier,
        handle_of(owner.handle),
        _video_hit(result, owner, identifier),
    )


def _video_hit(result: Result, owner: Owner, identifier: str) -> Hit:
    return Hit(
        video_id=identifier,
        name=owner.title or "",
        avatar_url=owner.thumbnail or "",
        title=result.title or "",
        text=result.description or "",
        url=result.url or "",
        published_time=result.published_time or "",
        published_text=result.published_time_text or "",
        seconds=result.length_seconds,
        views=first_count(result.view_count_int, result.view_count_text),
        likes=result.like_count_int,
        comments=result.comment_count_int,
    )


def _channel_hit(result: Result) -> Hit:
    return Hit(
        name=result.channel_name or result.title or "",
        avatar_url=result.thumbnail or "",
        followers=first_count(result.subscriber_count_int, result.subscriber_count_text),
        bio=result.description or "",
        verified="Verified" in result.badges if result.badges is not None else None,
    )


READER = ListReader(TypedPage, RawPage, _entries, _raw_entries, Result, item_of)
"""Reads a page of either search."""
