"""YouTube searches: ``GET /v1/youtube/search`` and ``/v1/youtube/search/hashtag``. Page facts from 2025 recordings.

The page marker is opaque text of about 600 characters and belongs to its query, so all parameters go with it. No
recorded walk goes beyond its first page; the end is a missing marker, by the vendor's documents.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

import msgspec

from platforms.contract import Query
from platforms.pages import Cursor, Item, Page, Request, Response, Walk
from platforms.reading import refuse_if_nothing_is_readable
from platforms.scrapecreators.client import said
from platforms.scrapecreators.endpoint import Endpoint
from platforms.scrapecreators.pricing import credits_of
from platforms.scrapecreators.youtube.results import READER, dropped
from worker.errors import ShapeError

_SORTS: Final = {"most_liked": "popular", "most_viewed": "popular", "views": "popular"}
_AGES: Final = {
    "yesterday": "today",
    "day": "today",
    "week": "this_week",
    "month": "this_month",
    "year": "this_year",
}


class KeywordSearch(Endpoint):
    """The source of words. ``uploadDate`` and ``sortBy`` are this provider's names for our two options."""

    endpoint = "youtube/search"

    def request(self, query: Query, walk: Walk) -> Request:
        """The call for one page of one word; the first has no page marker."""
        return Request(
            f"/v1/{self.endpoint}",
            {"query": walk.word, "region": query.region, **_options(query), **_marker(walk, first="")},
        )

    def parse(self, response: Response, query: Query, walk: Walk) -> Page:
        """The page in an answer judged ``ok``.

        Raises:
            ShapeError: ``not_json``, ``wrong_page_shape``, ``success_false``, ``missing_list``,
                ``all_items_unreadable``.
        """
        return read_page(response, self.credits, walk.word)

    def reread(self, raw: bytes, query: Query, walk: Walk) -> Item | None:
        """One item set aside earlier. Raises `ShapeError` when it still cannot be read."""
        return found_by(walk.word, READER.reread(raw))


class HashtagSearch(KeywordSearch):
    """The source of hashtags; its list is ``videos`` alone."""

    endpoint = "youtube/search/hashtag"

    def request(self, query: Query, walk: Walk) -> Request:
        """The call for one page of one hashtag."""
        shorts = {"type": "shorts"} if _folded(query.options.get("type")) in ("short", "shorts") else {}
        return Request(f"/v1/{self.endpoint}", {"hashtag": walk.word, **shorts, **_marker(walk, first="")})


class TopicSearch(KeywordSearch):
    """The source of channels by a topic.

    Its walks begin with the target's channel id as cursor, so that it is known on every page whom to leave out; no
    page marker looks like one.
    """

    def request(self, query: Query, walk: Walk) -> Request:
        """The call for one page of one topic."""
        return Request(
            f"/v1/{self.endpoint}",
            {"query": walk.word, "region": query.region, **_marker(walk, first=walk.start)},
        )


def read_page(response: Response, listed: int, word: str) -> Page:
    """The page in an answer; ``listed`` is the list price. Raises `ShapeError` as `KeywordSearch.parse`."""
    listing = READER.read(response.body)
    answer = listing.answer
    if listing.items is None:
        reason = "success_false" if answer.success is False else "missing_list"
        raise ShapeError(reason, f"expected videos, shorts, channels or shelves, seen none of them ({said(answer)})")
    refuse_if_nothing_is_readable(listing)
    marker = answer.continuation_token
    following = marker if isinstance(marker, str) and marker else None
    return Page(
        tuple(found_by(word, item) for item in listing.items),
        tuple(listing.unreadable),
        following,
        ended=following is None,
        credits=credits_of(answer, listed),
        dropped=dropped(answer),
    )


def found_by(word: str, item: Item) -> Item:
    """The item with the word that found it."""
    return replace(item, raw=msgspec.structs.replace(item.raw, word=word))


def _marker(walk: Walk, first: Cursor) -> Mapping[str, str]:
    return {} if walk.cursor == first else {"continuationToken": str(walk.cursor)}


def _options(query: Query) -> Mapping[str, str]:
    """Our options by the provider's names. A value it does not know is passed on, for it to refuse."""
    told = {name: _folded(value) for name, value in query.options.items()}
    sort, age = told.get("sort_by"), told.get("date_posted")
    kind = "channels" if query.word_kind == "profiles" else told.get("type")
    named = {
        "sortBy": _SORTS.get(sort or "", sort),
        "uploadDate": _AGES.get(age or "", age),
        "type": kind,
        "duration": query.options.get("duration"),
    }
    return {name: value for name, value in named.items() if value}


def _folded(value: str | None) -> str:
    return (value or "").strip().lower().replace("-", "_").replace(" ", "_")
