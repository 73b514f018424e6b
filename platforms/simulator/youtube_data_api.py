"""The YouTube Data API v3: search, channels, videos, and its quota. From recorded fixtures and the reference pages."""

from typing import Any, ClassVar

from platforms.simulator.calls import Answer, Call, Good, Refused, told, whole
from platforms.simulator.channels import channel_id, channel_of_id, video_of, video_of_id
from platforms.simulator.dice import Dice
from platforms.simulator.endpoint import BAD_KEY, Endpoint, Provider, Shape, Why
from platforms.simulator.people import creator_of_handle, number_of
from platforms.simulator.settings import Settings
from platforms.simulator.truth import MOST_OFFICIAL_RESULTS, OFFICIAL_SEARCH
from platforms.simulator.walks import walk_of
from platforms.simulator.youtube_shapes import channel_item, channel_result, error_body, video_item, video_result

_MOST_A_PAGE = 50
_TEXTS = frozenset({"title", "description", "channelTitle"})
_OVER_QUOTA = (
    'The request cannot be completed because you have exceeded your <a href="/youtube/v3/getting-started#quota">'
    "quota</a>."
)
_WORDS = {
    Why.BAD_KEY: (400, "keyInvalid", "usageLimits", "Bad Request"),
    Why.TOO_FAST: (403, "rateLimitExceeded", "usageLimits", "Rate Limit Exceeded"),
    Why.QUOTA: (
        403,
        "quotaExceeded",
        "youtube.quota",
        _OVER_QUOTA,
    ),
    Why.BALANCE: (403, "dailyLimitExceeded", "usageLimits", "Daily Limit Exceeded"),
    Why.STALE_CURSOR: (400, "invalidPageToken", "youtube.parameter", "The request specifies an invalid page token."),
}


class YouTubeDataApi(Provider):
    """The provider. Its quota is in units: see the built-in limits."""

    name: ClassVar[str] = "youtube_data_api"
    prefix: ClassVar[str] = "/youtube_data_api"
    optional: ClassVar[str] = "/youtube/v3"

    def __init__(self, settings: Settings) -> None:
        self._seed = settings.seed
        self._items = min(settings.items_per_query, MOST_OFFICIAL_RESULTS)

    @property
    def endpoints(self) -> tuple[Endpoint, ...]:
        """All of them."""
        lists = (("items",),)
        return (
            Endpoint(
                "/search",
                self._search,
                shape=Shape(lists, ("nextPageToken",), "pageToken", ("snippet", "channelId"), _TEXTS),
                recorded="search_list",
            ),
            Endpoint(
                "/channels",
                self._channels,
                shape=Shape(lists, who=("id",), shown=_TEXTS),
                recorded="channels_list",
                key=("items", "id"),
                keys=("id",),
            ),
            Endpoint(
                "/videos",
                self._videos,
                shape=Shape(lists, who=("id",), shown=_TEXTS),
                recorded="videos_list",
                key=("items", "id"),
                keys=("id",),
            ),
        )

    def account_of(self, call: Call) -> str:
        """The key, of the header or the query."""
        key = call.headers.get("x-goog-api-key") or call.params.get("key")
        if not key:
            raise Refused(self._error(403, "forbidden", "global", "The request is missing a valid API key."))
        if key == BAD_KEY:
            raise Refused(self.refusal(Why.BAD_KEY))
        return key

    def refusal(self, why: Why, wait: float | None = None) -> Answer:
        """As `Provider.refusal` says."""
        return self._error(*_WORDS[why])

    def error(self, status: int) -> Answer:
        """The body of a bare error status."""
        known = {400: Why.BAD_KEY, 403: Why.QUOTA}.get(status)
        if known:
            return self.refusal(known)
        if status == 429:
            return self._error(429, "rateLimitExceeded", "usageLimits", "Rate Limit Exceeded")
        return self._error(status, "backendError", "global", "Internal error encountered.")

    def nowhere(self, method: str, path: str) -> Answer:
        """An unknown path is an HTML page."""
        page = "<!DOCTYPE html>\n<html lang=en><title>Error 404 (Not Found)!!1</title><p>404. That's an error.\n"
        return Answer(404, page.encode(), "text/html; charset=utf-8")

    def _search(self, call: Call, account: str) -> Good:
        self._need(call, "part")
        size = whole(call.params.get("maxResults"), 5, most=_MOST_A_PAGE)
        if size is None:
            raise Refused(self._error(400, "invalidParameter", "youtube.parameter", "Invalid value for maxResults."))
        word = call.params.get("q", "").lower()
        # A token is good with the other parameters it was made for, the size of the page included.
        asked = "&".join(f"{name}={call.params[name]}" for name in sorted(call.params) if name != "pageToken")
        start = self._start(call.params.get("pageToken"), asked)
        walk, kinds = walk_of(OFFICIAL_SEARCH, word), call.params.get("type", "video,channel,playlist")
        found = [self._result(walk, at, kinds) for at in range(start, min(start + size, self._items))]
        page: dict[str, Any] = {"kind": "youtube#searchListResponse", "regionCode": call.params.get("regionCode", "US")}
        if start + size < self._items or (start < self._items and Dice(self._seed, "one more", walk).percent(30)):
            page["nextPageToken"] = _token(start + size, asked)
        if start:
            page["prevPageToken"] = _token(max(0, start - size), asked)
        return Good({**page, "pageInfo": {"totalResults": 1_000_000, "resultsPerPage": size}, "items": found})

    def _result(self, walk: str, at: int, kinds: str) -> dict[str, Any]:
        video = video_of(self._seed, walk, at)
        if kinds == "channel":
            return channel_result(video.author)
        # Some results are of another kind than was asked for.
        thrown = Dice(self._seed, "result kind", walk, at).below(100)
        return channel_result(video.author) if thrown < (2 if kinds == "video" else 10) else video_result(video)

    def _start(self, token: str | None, asked: str) -> int:
        if not token:
            return 0
        start = whole(token[1:-16], 0) if token.startswith("C") else None
        if start is None or token != _token(start, asked):
            raise Refused(self.refusal(Why.STALE_CURSOR))
        return start

    def _channels(self, call: Call, account: str) -> Good:
        parts = self._need(call, "part").split(",")
        if handle := call.params.get("forHandle"):
            named = creator_of_handle(self._seed, handle.removeprefix("@"))
            ids = [channel_id(number_of(named.uid))] if named else []
        else:
            ids = self._ids(call)
        found = [channel_of_id(self._seed, one) for one in sorted(set(ids), reverse=True)]
        return _listed("youtube#channelListResponse", [channel_item(one, parts) for one in found if one])

    def _videos(self, call: Call, account: str) -> Good:
        parts = self._need(call, "part").split(",")
        found = [video_of_id(self._seed, one) for one in sorted(set(self._ids(call)))]
        return _listed("youtube#videoListResponse", [video_item(one, parts) for one in found if one])

    def _ids(self, call: Call) -> list[str]:
        ids = self._need(call, "id").split(",")
        if len(ids) > _MOST_A_PAGE:
            raise Refused(self._error(400, "invalidFilters", "youtube.parameter", "Too many ids."))
        return ids

    def _need(self, call: Call, name: str) -> str:
        if not call.params.get(name):
            message = f"No {name} was specified."
            raise Refused(self._error(400, "missingRequiredParameter", "youtube.parameter", message))
        return call.params[name]

    def _error(self, status: int, reason: str, domain: str, message: str) -> Answer:
        return told(status, error_body(status, reason, domain, message))


def _listed(kind: str, items: list[dict[str, Any]]) -> Good:
    """A list by ids; with nothing found there is no list."""
    page: dict[str, Any] = {"kind": kind, "pageInfo": {"totalResults": len(items), "resultsPerPage": len(items)}}
    return Good({**page, "items": items} if items else page)


def _token(start: int, asked: str) -> str:
    return f"C{start}{Dice('page token', start, asked).hex(16)}"
