"""YouTube search: ``GET /youtube/v3/search``, 100 quota units a call.

A page token goes with the same other parameters. A page may be short or empty and have one: the end is a missing
token, and no walk goes far beyond 500 results.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec

from platforms.contract import Query
from platforms.normalise.youtube_similar import by_channel
from platforms.pages import Item, Page, Request, Response, Walk
from platforms.reading import refuse_if_nothing_is_readable
from platforms.youtube_data_api.endpoint import Endpoint
from platforms.youtube_data_api.results import READER, dropped
from worker.errors import ShapeError

PAGE_SIZE: Final = "50"
"""Most results of a page; a page costs the same whatever its size."""

LIST_KIND: Final = "youtube#searchListResponse"

_KINDS: Final = {
    "videos": "video",
    "video": "video",
    "shorts": "video",
    "short": "video",
    "channels": "channel",
    "channel": "channel",
}
_ORDERS: Final = {
    "popular": "viewCount",
    "most_liked": "rating",
    "most_viewed": "viewCount",
    "views": "viewCount",
    "date_posted": "date",
    "newest": "date",
}
_DAYS: Final = {
    "today": 1,
    "day": 1,
    "yesterday": 1,
    "this_week": 7,
    "week": 7,
    "this_month": 31,
    "month": 31,
    "last_3_months": 92,
    "last_6_months": 183,
    "this_year": 366,
    "year": 366,
}


class VideoSearch(Endpoint):
    """The source of words. Its walks begin with the oldest date asked for as cursor, or with nothing.

    The date belongs to all pages of a walk, so it is settled once and kept.
    """

    endpoint = "youtube/v3/search"

    def request(self, query: Query, walk: Walk) -> Request:
        """The call for one page of one word."""
        since = {"publishedAfter": str(walk.start)} if walk.start else {}
        return self._request(query, walk, {**_options(query), **since})

    def parse(self, response: Response, query: Query, walk: Walk) -> Page:
        """The page in an answer judged ``ok``; playlists are dropped.

        Raises:
            ShapeError: ``not_json``, ``wrong_page_shape``, ``missing_list``, ``all_items_unreadable``.
        """
        return read_page(response, self.credits, walk.word)

    def reread(self, raw: bytes, query: Query, walk: Walk) -> Item | None:
        """One item set aside earlier. Raises `ShapeError` when it still cannot be read."""
        return found_by(walk.word, READER.reread(raw))

    def _request(self, query: Query, walk: Walk, options: Mapping[str, str]) -> Request:
        first = {} if walk.cursor == walk.start else {"pageToken": str(walk.cursor)}
        asked = {"part": "snippet", "q": walk.word, "maxResults": PAGE_SIZE, "regionCode": query.region}
        return Request(f"/{self.endpoint}", {**asked, **options, **first})


class TopicSearch(VideoSearch):
    """The source of channels by a topic. Its walks begin with the target's channel id as cursor."""

    def request(self, query: Query, walk: Walk) -> Request:
        """The call for one page of one topic."""
        return self._request(query, walk, {"type": "video"})

    def parse(self, response: Response, query: Query, walk: Walk) -> Page:
        """The page's channels, best first; the target is dropped. Raises as `VideoSearch.parse`."""
        page = read_page(response, self.credits, walk.word)
        others = [item for item in page.items if item.creator_id != walk.start]
        return replace(page, items=by_channel(others), dropped=page.dropped + len(page.items) - len(others))

    def reread(self, raw: bytes, query: Query, walk: Walk) -> Item | None:
        """One item set aside earlier, as a channel with one video; None for the target."""
        item = super().reread(raw, query, walk)
        return by_channel([item])[0] if item and item.creator_id != walk.start else None


def read_page(response: Response, cost: int, word: str) -> Page:
    """The page in an answer. Raises `ShapeError` as `VideoSearch.parse`."""
    listing = READER.read(response.body)
    answer = listing.answer
    if listing.items is None and answer.kind != LIST_KIND:
        raise ShapeError("missing_list", f"expected items or the kind {LIST_KIND}, seen neither")
    refuse_if_nothing_is_readable(listing)
    token = answer.next_page_token
    following = token if isinstance(token, str) and token else None
    return Page(
        tuple(found_by(word, item) for item in listing.items or ()),
        tuple(listing.unreadable),
        following,
        ended=following is None,
        credits=cost,
        dropped=dropped(answer),
    )


def found_by(word: str, item: Item) -> Item:
    """The item with the word that found it."""
    return replace(item, raw=msgspec.structs.replace(item.raw, word=word))


def oldest(query: Query, now: datetime) -> str:
    """The date from which on results are asked for, as the provider writes it; "" for all.

    It is a midnight (UTC), so that it is the same however often it is settled on one day.
    """
    days = _DAYS.get(_folded(query.options.get("date_posted")))
    if days is None:
        return ""
    since = (now - timedelta(days=days)).astimezone(UTC)
    return since.replace(hour=0, minute=0, second=0, microsecond=0).isoformat().replace("+00:00", "Z")


def _options(query: Query) -> Mapping[str, str]:
    """Our options by the provider's names; values it has no name for are left out."""
    told = {name: _folded(value) for name, value in query.options.items()}
    kind = "channel" if query.word_kind == "profiles" else _KINDS.get(told.get("type", ""), "video,channel")
    shorts = told.get("type") in ("short", "shorts")
    duration = "short" if shorts else told.get("duration", "")
    named = {
        "type": kind,
        "order": _ORDERS.get(told.get("sort_by", ""), ""),
        # The provider refuses a duration where anything but videos is asked for.
        "videoDuration": duration if kind == "video" and duration in ("short", "medium", "long") else "",
    }
    return {name: value for name, value in named.items() if value}


def _folded(value: str | None) -> str:
    return (value or "").strip().lower().replace("-", "_").replace(" ", "_")
