"""The Instagram Graph API: hashtags and the look-up by name. From recorded fixtures and the reference pages."""

import re
from typing import Any, ClassVar

import msgspec

from platforms.simulator.calls import Answer, Call, Good, Refused, whole
from platforms.simulator.endpoint import BAD_KEY, Endpoint, Provider, Shape, Why
from platforms.simulator.graph_shapes import (
    discovered,
    hashtag_id,
    hashtag_of_id,
    is_professional,
    media,
    named_fields,
    refused_with,
)
from platforms.simulator.people import creator_of_handle
from platforms.simulator.settings import Settings
from platforms.simulator.truth import GRAPH_RECENT, GRAPH_TOP, MOST_TOP_POSTS
from platforms.simulator.walks import video_at, walk_of

HASHTAGS_A_WEEK = 30

_SAME_AFTER = "QVFIUmXyTheSame"
_MOST_A_PAGE = 50
_DISCOVERY = re.compile(r"business_discovery\.username\(([^)]*)\)\{(.*)\}")
_SHAPE = Shape((("data",),), ("paging", "cursors", "after"), "after", ("id",), frozenset({"caption"}))
_WORDS = {
    Why.BAD_KEY: (401, 190, 467, "Error validating access token: the token is invalid."),
    Why.TOO_FAST: (400, 4, None, "(#4) Application request limit reached"),
    Why.QUOTA: (400, 80002, 2446079, "(#80002) There have been too many calls to this Instagram account."),
    Why.BALANCE: (400, 10, None, "(#10) Application does not have permission for this action"),
    Why.STALE_CURSOR: (400, 100, None, "(#100) Invalid parameter: after"),
}


class InstagramGraph(Provider):
    """The provider. An account may ask for 30 different hashtags until all cursors are expired by a control call."""

    name: ClassVar[str] = "instagram_graph"
    prefix: ClassVar[str] = "/instagram_graph"
    optional: ClassVar[str] = r"/v\d+\.\d+"

    def __init__(self, settings: Settings) -> None:
        self._seed = settings.seed
        self._items = settings.items_per_query
        self._asked: dict[str, set[str]] = {}
        self._places: dict[tuple[str, str], int] = {}

    @property
    def endpoints(self) -> tuple[Endpoint, ...]:
        """All of them."""
        return (
            Endpoint("/ig_hashtag_search", self._hashtag, shape=Shape((("data",),)), recorded="ig_hashtag_search"),
            Endpoint("/{hashtag}/top_media", self._top, shape=_SHAPE, recorded="hashtag_top_media"),
            Endpoint("/{hashtag}/recent_media", self._recent, shape=_SHAPE, recorded="hashtag_recent_media"),
            Endpoint("/{account}/recently_searched_hashtags", self._searched, shape=Shape((("data",),))),
            Endpoint(
                "/{account}",
                self._discovery,
                shape=Shape(shown=frozenset({"name", "biography", "caption"})),
                recorded="business_discovery",
            ),
        )

    def account_of(self, call: Call) -> str:
        """The token, of the header or the query."""
        token = call.bearer or call.params.get("access_token", "")
        if not token or token == BAD_KEY:
            raise Refused(self.refusal(Why.BAD_KEY))
        return token

    def refusal(self, why: Why, wait: float | None = None) -> Answer:
        """As `Provider.refusal` says; limits come with HTTP 400 and tell the usage."""
        headers = {}
        if why is Why.TOO_FAST:
            headers["X-App-Usage"] = '{"call_count":100,"total_cputime":25,"total_time":31}'
        if why is Why.QUOTA:
            usage = {"type": "instagram", "call_count": 100, "total_cputime": 20, "total_time": 22}
            whole_usage = {"17841400000000000": [{**usage, "estimated_time_to_regain_access": 19}]}
            headers["X-Business-Use-Case-Usage"] = msgspec.json.encode(whole_usage).decode()
        return refused_with(*_WORDS[why], headers=headers)

    def error(self, status: int) -> Answer:
        """The body of a bare error status."""
        if status == 429:
            return self.refusal(Why.TOO_FAST)
        return refused_with(status, 2 if status >= 500 else 100, None, "An unexpected error has occurred.")

    def nowhere(self, method: str, path: str) -> Answer:
        """An unknown path is an object that does not exist."""
        return refused_with(400, 100, 33, "Unsupported get request. Object does not exist.")

    def expire(self, what: str) -> bool:
        """Forget the walks and the week's hashtags."""
        self._asked.clear()
        self._places.clear()
        return what == "cursors"

    def dressed(self, good: Good, charged: int, balance: int, used: float) -> Good:
        """The usage in percent, once there is some."""
        percent = int(used * 100)
        usage = msgspec.json.encode({"call_count": percent, "total_time": percent, "total_cputime": percent}).decode()
        return Good(good.body, good.status, charged, {"X-App-Usage": usage} if percent else {})

    def _hashtag(self, call: Call, account: str) -> Good:
        word = call.params.get("q", "")
        if not call.params.get("user_id") or not word or " " in word or word.startswith("#"):
            raise Refused(refused_with(400, 100, None, "(#100) user_id and q are required, q without # and spaces"))
        asked = self._asked.setdefault(account, set())
        if word.lower() not in asked and len(asked) >= HASHTAGS_A_WEEK:
            raise Refused(refused_with(400, 24, 2207042, "reached maximum number of hashtags"))
        asked.add(word.lower())
        return Good({"data": [{"id": hashtag_id(word)}]})

    def _searched(self, call: Call, account: str) -> Good:
        return Good({"data": [{"id": hashtag_id(word)} for word in sorted(self._asked.get(account, ()))]})

    def _top(self, call: Call, account: str) -> Good:
        word, size = self._tag(call), self._size(call)
        start, items = whole(call.params.get("after", "").removeprefix("QVFI"), 0), min(self._items, MOST_TOP_POSTS)
        if start is None:
            raise Refused(self.refusal(Why.STALE_CURSOR))
        return self._page(call, walk_of(GRAPH_TOP, word), start, size, items, f"QVFI{start + size}")

    def _recent(self, call: Call, account: str) -> Good:
        """Recorded: ``after`` is the same text on every page. So the place is kept here, by account and hashtag."""
        word, size = self._tag(call), self._size(call)
        start = self._places.get((account, word), 0) if call.params.get("after") else 0
        self._places[account, word] = start + size
        return self._page(call, walk_of(GRAPH_RECENT, word), start, size, self._items, _SAME_AFTER)

    def _page(self, call: Call, walk: str, start: int, size: int, items: int, after: str) -> Good:
        places = range(start, min(start + size, items))
        page: dict[str, Any] = {"data": [media(video_at(self._seed, walk, at), _fields(call)) for at in places]}
        if start + size < items:
            link = f"https://graph.example{call.path}?access_token=hidden&after={after}"
            page["paging"] = {"cursors": {"after": after}, "next": link}
        return Good(page)

    def _discovery(self, call: Call, account: str) -> Good:
        match = _DISCOVERY.fullmatch(call.params.get("fields", ""))
        if match is None:
            return Good({"id": call.places["account"]})
        found = creator_of_handle(self._seed, match[1])
        if found is None or not is_professional(found):
            raise Refused(refused_with(400, 110, 2207013, "Invalid user id", title="Cannot find User"))
        return Good({"business_discovery": discovered(self._seed, found, match[2]), "id": call.places["account"]})

    def _tag(self, call: Call) -> str:
        word = hashtag_of_id(call.places["hashtag"])
        if word is None or not call.params.get("user_id"):
            raise Refused(refused_with(400, 100, 33, "Unsupported get request. Object does not exist."))
        return word

    def _size(self, call: Call) -> int:
        size = whole(call.params.get("limit"), 25, least=1, most=_MOST_A_PAGE)
        if size is None:
            raise Refused(refused_with(400, 100, None, f"(#100) limit must be from 1 to {_MOST_A_PAGE}"))
        return size


def _fields(call: Call) -> list[str]:
    return [name for name, _ in named_fields(call.params.get("fields", ""))]
