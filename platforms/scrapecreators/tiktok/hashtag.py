"""TikTok hashtag search: ``GET /v1/tiktok/search/hashtag``. Page facts from the vendor's published answers, 2026.

The list holds TikTok's own video objects, one level higher than in a keyword search.
"""

from typing import Any, Final

import msgspec

from platforms.contract import Query
from platforms.normalise.aweme import Aweme, item_of
from platforms.normalise.numbers import count
from platforms.pages import Item, Page, Request, Response, Walk
from platforms.reading import ListReader, refuse_if_nothing_is_readable
from platforms.scrapecreators.client import Answer, said
from platforms.scrapecreators.endpoint import Endpoint
from platforms.scrapecreators.pricing import credits_of
from worker.errors import ShapeError


class HashtagAnswer(Answer):
    """What every reading of a page needs."""

    cursor: Any = None
    has_more: Any = None


class TypedPage(HashtagAnswer):
    """A page with every item readable. A list told as null is an empty one, unlike one that is not told."""

    aweme_list: list[Aweme] | msgspec.UnsetType | None = msgspec.UNSET


class RawPage(HashtagAnswer):
    """A page whose items are read one by one."""

    aweme_list: list[msgspec.Raw] | msgspec.UnsetType | None = msgspec.UNSET


_READER: Final = ListReader(
    TypedPage,
    RawPage,
    lambda page: None if page.aweme_list is msgspec.UNSET else page.aweme_list or [],
    lambda page: None if page.aweme_list is msgspec.UNSET else page.aweme_list or [],
    Aweme,
    item_of,
)


class HashtagSearch(Endpoint):
    """The source. Cursors are offsets into a list that shifts."""

    endpoint = "tiktok/search/hashtag"

    def request(self, query: Query, walk: Walk) -> Request:
        """The call for one page of one hashtag, which goes without ``#``."""
        return Request(
            f"/v1/{self.endpoint}", {"hashtag": walk.word, "cursor": str(walk.cursor), "region": query.region}
        )

    def parse(self, response: Response, query: Query, walk: Walk) -> Page:
        """The page in an answer judged ``ok``.

        The end is an empty list that does not announce more. ``has_more`` alone decides nothing: in keyword searches
        it turns 0 while items still follow, and one call more is the price of not believing it.

        Raises:
            ShapeError: ``not_json``, ``wrong_page_shape``, ``success_false``, ``missing_list``,
                ``all_items_unreadable``.
        """
        listing = _READER.read(response.body)
        answer, items = listing.answer, listing.items
        cost = credits_of(answer, self.credits)
        if items is None:
            reason = "success_false" if answer.success is False else "missing_list"
            raise ShapeError(reason, f"expected aweme_list, seen none ({said(answer)})")
        if not items and not listing.unreadable and not answer.has_more:
            return Page(ended=True, credits=cost)
        refuse_if_nothing_is_readable(listing)
        before, after = count(walk.cursor) or 0, count(answer.cursor)
        following = before + len(items) + len(listing.unreadable) if after is None else max(before, after)
        return Page(tuple(items), tuple(listing.unreadable), following, credits=cost)

    def reread(self, raw: bytes, query: Query, walk: Walk) -> Item:
        """One item set aside earlier. Raises `ShapeError` when it still cannot be read."""
        return _READER.reread(raw)
