"""TikTok keyword search: ``GET /v1/tiktok/search/keyword``. Page facts from 108 recorded calls, 2025.

A page holds 0 to 30 videos in 1.3 to 2.8 MB of JSON.
"""

from typing import Any, Final

import msgspec

from platforms.contract import Query
from platforms.normalise.aweme import Aweme, item_of
from platforms.normalise.numbers import count
from platforms.pages import Cursor, Item, Page, Request, Response, Walk
from platforms.reading import ListReader, refuse_if_nothing_is_readable
from platforms.scrapecreators.client import Answer, said
from platforms.scrapecreators.endpoint import Endpoint
from platforms.scrapecreators.pricing import credits_of
from worker.errors import ShapeError

PAGE_SIZE: Final = 30
"""How far a page moves the cursor, whatever number of items it holds."""

_PASSED_ON: Final = ("sort_by", "date_posted")


class Hit(msgspec.Struct):
    """One entry of the list. Trimmed answers lack ``aweme_info`` and are another shape, which is not guessed at."""

    aweme_info: Aweme


class KeywordAnswer(Answer):
    """What every reading of a page needs. ``has_more`` is left out: it turns 0 while items still follow."""

    cursor: Any = None
    search_nil_info: Any = None


class TypedPage(KeywordAnswer):
    """A page with every item readable."""

    search_item_list: list[Hit] | None = None


class RawPage(KeywordAnswer):
    """A page whose items are read one by one."""

    search_item_list: list[msgspec.Raw] | None = None


_READER: Final = ListReader(
    TypedPage,
    RawPage,
    lambda page: page.search_item_list,
    lambda page: page.search_item_list,
    Hit,
    lambda hit: item_of(hit.aweme_info),
)


class KeywordSearch(Endpoint):
    """The source. Cursors are offsets into a list that shifts."""

    endpoint = "tiktok/search/keyword"

    def request(self, query: Query, walk: Walk) -> Request:
        """The call for one page of one word."""
        options = {name: query.options[name] for name in _PASSED_ON if query.options.get(name)}
        return Request(
            f"/v1/{self.endpoint}",
            {"query": walk.word, "cursor": str(walk.cursor), "region": query.region, **options},
        )

    def parse(self, response: Response, query: Query, walk: Walk) -> Page:
        """The page in an answer judged ``ok``.

        The end is an empty or missing list together with ``search_nil_info``. An empty list alone is a page without
        results; after a few of them the walk's own guard ends it.

        Raises:
            ShapeError: ``not_json``, ``wrong_page_shape``, ``success_false``, ``missing_list``,
                ``all_items_unreadable``.
        """
        listing = _READER.read(response.body)
        answer, items = listing.answer, listing.items
        cost = credits_of(answer, self.credits)
        if not items and not listing.unreadable and answer.search_nil_info is not None:
            return Page(ended=True, credits=cost)
        if items is None:
            reason = "success_false" if answer.success is False else "missing_list"
            raise ShapeError(reason, f"expected search_item_list or search_nil_info, seen neither ({said(answer)})")
        refuse_if_nothing_is_readable(listing)
        return Page(tuple(items), tuple(listing.unreadable), _next_cursor(answer, walk.cursor), credits=cost)

    def reread(self, raw: bytes, query: Query, walk: Walk) -> Item:
        """One item set aside earlier. Raises `ShapeError` when it still cannot be read."""
        return _READER.reread(raw)


def _next_cursor(answer: KeywordAnswer, asked: Cursor) -> int:
    """The cursor told; one page further when none is. One that does not move on is given back as the one asked."""
    before = count(asked) or 0
    after = count(answer.cursor)
    return before + PAGE_SIZE if after is None else max(before, after)
