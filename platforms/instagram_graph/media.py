"""Instagram media of a hashtag: ``GET /{hashtag}/top_media`` and ``/recent_media``. From recorded fixtures.

Nobody is told to be the owner, whatever is asked for, so a creator cannot be read here: the post stands for itself.
The ``after`` of a page can be the same text on every page, so a walk's cursor is ``hashtag/page/after``, with a page
number of our own. The last page lacks ``paging``.
"""

from typing import Any, ClassVar, Final

import msgspec

from platforms.contract import Query
from platforms.instagram_graph.client import VERSION
from platforms.instagram_graph.endpoint import Endpoint
from platforms.normalise.instagram_hit import Account, Hit, Post, identifier
from platforms.pages import ACCOUNT, Cursor, Item, Page, Request, Response, Walk
from platforms.reading import ListReader, refuse_if_nothing_is_readable
from worker.errors import ShapeError

PAGE_SIZE: Final = "50"
_FIELDS: Final = "id,caption,media_type,media_url,permalink,timestamp,like_count,comments_count"
_KINDS: Final = {"IMAGE": "Image", "VIDEO": "Video", "CAROUSEL_ALBUM": "Sidecar"}
_NOBODY: Final = Account(id="", handle="")


class Media(msgspec.Struct, frozen=True):
    """One post. Hidden likes, empty captions and some pictures are left out."""

    id: str | int
    caption: str | None = None
    media_type: str | None = None
    media_url: str | None = None
    permalink: str | None = None
    timestamp: str | None = None
    like_count: Any = None
    comments_count: Any = None


class Cursors(msgspec.Struct):
    """Where the next page is."""

    after: Any = None


class Paging(msgspec.Struct):
    """``next`` is left out: it is a link that holds the token."""

    cursors: Cursors | None = None


class Answer(msgspec.Struct):
    """What every reading of a page needs."""

    paging: Paging | None = None


class TypedPage(Answer):
    """A page with every item readable."""

    data: list[Media] | None = None


class RawPage(Answer):
    """A page whose items are read one by one."""

    data: list[msgspec.Raw] | None = None


def first_cursor(hashtag: str) -> str:
    """The cursor of a hashtag's first page."""
    return f"{hashtag}/0/"


def _place(cursor: Cursor) -> tuple[str, int, str]:
    """Hashtag, page number and ``after`` of a cursor."""
    hashtag, _, rest = str(cursor).partition("/")
    page, _, after = rest.partition("/")
    return hashtag, int(page) if page.isdecimal() else 0, after


def _item(media: Media) -> Item:
    """One post as an item. Raises `ShapeError` (``no_content_id``)."""
    content = identifier(media.id)
    if not content:
        raise ShapeError("no_content_id", "expected the post's id, seen an empty one")
    link = media.permalink or ""
    kind = _KINDS.get(media.media_type or "", "")
    post = Post(
        id=content,
        shortcode=link.rstrip("/").rpartition("/")[2],
        url=link,
        caption=media.caption or "",
        picture_url=(media.media_url or "") if kind != "Video" else "",
        kind=kind,
        taken_at=media.timestamp,
        likes=media.like_count,
        comments=media.comments_count,
    )
    return Item("", content, "", Hit(_NOBODY, post))


_READER: Final = ListReader(TypedPage, RawPage, lambda page: page.data, lambda page: page.data, Media, _item)


class HashtagMedia(Endpoint):
    """The source of one of a hashtag's lists."""

    name: ClassVar[str]

    def request(self, query: Query, walk: Walk) -> Request:
        """The call for one page."""
        hashtag, _, after = _place(walk.cursor)
        further = {"after": after} if after else {}
        return Request(
            f"/{VERSION}/{hashtag}/{self.name}",
            {"user_id": ACCOUNT, "fields": _FIELDS, "limit": PAGE_SIZE, **further},
        )

    def parse(self, response: Response, query: Query, walk: Walk) -> Page:
        """The page in an answer judged ``ok``; the end is a missing ``after``.

        Raises:
            ShapeError: ``not_json``, ``wrong_page_shape``, ``missing_list``, ``all_items_unreadable``.
        """
        listing = _READER.read(response.body)
        if listing.items is None:
            raise ShapeError("missing_list", "expected data with media, seen no data")
        refuse_if_nothing_is_readable(listing)
        hashtag, page, _ = _place(walk.cursor)
        paging = listing.answer.paging
        after = paging.cursors.after if paging and paging.cursors else None
        following = f"{hashtag}/{page + 1}/{after}" if isinstance(after, str) and after else None
        return Page(
            tuple(listing.items),
            tuple(listing.unreadable),
            following,
            ended=following is None,
            credits=self.credits,
        )

    def reread(self, raw: bytes, query: Query, walk: Walk) -> Item:
        """One item set aside earlier. Raises `ShapeError` when it still cannot be read."""
        return _READER.reread(raw)


class TopMedia(HashtagMedia):
    """The most popular media."""

    endpoint = "hashtag/top_media"
    name = "top_media"


class RecentMedia(HashtagMedia):
    """The media of the last 24 hours."""

    endpoint = "hashtag/recent_media"
    name = "recent_media"
