"""TikTok videos by word or hashtag: ``POST /v2/research/video/query/``."""

from typing import Any, Final

import msgspec

from platforms.contract import Query
from platforms.normalise.numbers import count
from platforms.normalise.tiktok_research import ResearchVideo, item_of
from platforms.pages import Item, Page, Request, Response, Walk
from platforms.reading import ListReader, refuse_if_nothing_is_readable
from platforms.tiktok_research.client import Answer
from platforms.tiktok_research.endpoint import Endpoint
from platforms.tiktok_research.windows import MOST_EMPTY, Place, place_of
from platforms.words import hashtag
from worker.errors import ShapeError

MAX_COUNT: Final = 100
"""Videos asked for; fewer may come, also none while more follow."""
_FIELDS: Final = (
    *("id", "username", "video_description", "hashtag_names", "create_time", "region_code"),
    *("view_count", "like_count", "comment_count", "share_count"),
)


class Videos(msgspec.Struct):
    """Where a page stands in its window."""

    cursor: Any = None
    has_more: Any = None
    search_id: Any = None


class TypedVideos(Videos):
    """Every video readable. A list told as null is an empty one, unlike one that is not told."""

    videos: list[ResearchVideo] | msgspec.UnsetType | None = msgspec.UNSET


class RawVideos(Videos):
    """Videos that are read one by one."""

    videos: list[msgspec.Raw] | msgspec.UnsetType | None = msgspec.UNSET


class TypedPage(Answer):
    """A page with every video readable."""

    data: TypedVideos | None = None


class RawPage(Answer):
    """A page whose videos are read one by one."""

    data: RawVideos | None = None


def _typed(page: TypedPage) -> list[ResearchVideo] | None:
    return None if page.data is None or page.data.videos is msgspec.UNSET else page.data.videos or []


def _raw(page: RawPage) -> list[msgspec.Raw] | None:
    return None if page.data is None or page.data.videos is msgspec.UNSET else page.data.videos or []


_READER: Final = ListReader(TypedPage, RawPage, _typed, _raw, ResearchVideo, item_of)


class VideoQuery(Endpoint):
    """The source. Its cursor is a `Place`; a lost search id costs the window it belongs to, no more."""

    endpoint = "research/video/query"

    def __init__(self, *, by_hashtag: bool) -> None:
        self._by_hashtag = by_hashtag

    def request(self, query: Query, walk: Walk) -> Request:
        """The call for one page of one window."""
        place = place_of(walk)
        body: dict[str, Any] = {
            "query": self._conditions(query, walk.word),
            "start_date": place.first,
            "end_date": place.last,
            "max_count": MAX_COUNT,
            "cursor": place.cursor,
        }
        if place.search_id:
            body["search_id"] = place.search_id
        return Request(f"/v2/{self.endpoint}/", {"fields": ",".join(_FIELDS)}, msgspec.json.encode(body))

    def parse(self, response: Response, query: Query, walk: Walk) -> Page:
        """The page in an answer judged ``ok``.

        ``has_more`` alone says whether a window goes on: a page may be short or empty because deleted videos are left
        out after they were counted. A window without more is followed by the one before it.

        Raises:
            ShapeError: ``not_json``, ``wrong_page_shape``, ``missing_list``, ``all_items_unreadable``.
        """
        listing = _READER.read(response.body)
        data, items = listing.answer.data, listing.items
        if data is None or items is None:
            raise ShapeError("missing_list", "expected data.videos, seen none")
        refuse_if_nothing_is_readable(listing)
        place = place_of(walk)
        empty = not items and not listing.unreadable
        following = _next(place, data, empty)
        if following is None:
            return Page(tuple(items), tuple(listing.unreadable), ended=True, credits=self.credits)
        return Page(
            tuple(items),
            tuple(listing.unreadable),
            following.text,
            credits=self.credits,
            # An empty page or window says nothing about the next.
            step=empty,
            start=following.beginning.text,
        )

    def reread(self, raw: bytes, query: Query, walk: Walk) -> Item:
        """One video set aside earlier. Raises `ShapeError` when it still cannot be read."""
        return _READER.reread(raw)

    def _conditions(self, query: Query, word: str) -> dict[str, Any]:
        """The word in the caption or as a hashtag; from the countries that the job keeps, where it names some."""
        tagged = _condition("hashtag_name", "EQ", hashtag(word))
        conditions: dict[str, Any] = (
            {"and": [tagged]} if self._by_hashtag else {"or": [_condition("keyword", "EQ", word), tagged]}
        )
        if query.filters.countries:
            conditions.setdefault("and", []).append(_condition("region_code", "IN", *query.filters.countries))
        return conditions


def _condition(field_name: str, operation: str, *values: str) -> dict[str, Any]:
    return {"operation": operation, "field_name": field_name, "field_values": list(values)}


def _next(place: Place, data: Videos, empty: bool) -> Place | None:
    """The place of the next page; the same one when the answer does not move on; None at the end of the walk."""
    if data.has_more is not True or (empty and place.empty + 1 >= MOST_EMPTY):
        return place.older()
    after = count(data.cursor)
    after = place.cursor + MAX_COUNT if after is None else after
    if after <= place.cursor:
        return place
    search_id = data.search_id if isinstance(data.search_id, str) and data.search_id else place.search_id
    return Place(place.last, place.oldest, after, search_id, place.empty + 1 if empty else 0)
