"""The TikTok Research API: tokens, video queries by windows of days, accounts. From the official pages and wrapper."""

import time
from datetime import date, datetime, timedelta
from typing import Any, ClassVar

from platforms.simulator.calls import Answer, Call, Good, Refused, told
from platforms.simulator.dice import Dice
from platforms.simulator.endpoint import BAD_KEY, Endpoint, Provider, Shape, Why
from platforms.simulator.people import creator_of_handle
from platforms.simulator.research_world import STEP, pages_of, word_of
from platforms.simulator.settings import Settings

_LONGEST_WINDOW = timedelta(days=30)
_LOG_ID = "203107110326050102231031430C7E754E"
_WORDS = {
    Why.BAD_KEY: (401, "access_token_invalid", "The access token is invalid or not found in the request."),
    Why.TOO_FAST: (429, "rate_limit_exceeded", "The API rate limit was exceeded. Please try again later."),
    Why.QUOTA: (429, "daily_quota_limit_exceeded", "Daily quota limit exceeded."),
    Why.BALANCE: (401, "scope_not_authorized", "The user did not authorize the scope required."),
    Why.STALE_CURSOR: (400, "invalid_params", "Search Id 7201388525814961198 is invalid or expired"),
}


class TikTokResearch(Provider):
    """The provider. Its tokens and search ids live in the simulator, so that they can expire."""

    name: ClassVar[str] = "tiktok_research"
    prefix: ClassVar[str] = "/tiktok_research"

    def __init__(self, settings: Settings) -> None:
        self._seed = settings.seed
        self._items = settings.items_per_query
        self._lifetime = settings.token_seconds
        self._tokens: dict[str, tuple[str, float]] = {}
        self._made = 0
        self._generation = 0

    @property
    def endpoints(self) -> tuple[Endpoint, ...]:
        """All of them."""
        videos = Shape(
            (("data", "videos"),),
            ("data", "cursor"),
            "cursor",
            ("username",),
            frozenset({"video_description"}),
        )
        return (
            Endpoint("/v2/oauth/token/", self._token, "POST", price=0),
            Endpoint("/v2/research/video/query/", self._videos, "POST", shape=videos, recorded="video_query"),
            Endpoint(
                "/v2/research/user/info/",
                self._user,
                "POST",
                shape=Shape(shown=frozenset({"bio_description", "display_name"})),
                recorded="user_info",
            ),
        )

    def account_of(self, call: Call) -> str:
        """The client key: told when a token is asked for, and known by the token after that."""
        if call.path.endswith("/oauth/token/"):
            return str(call.sent.get("client_key", ""))
        key, until = self._tokens.get(call.bearer, ("", 0.0))
        if time.monotonic() >= until:
            raise Refused(self.refusal(Why.BAD_KEY))
        return key

    def refusal(self, why: Why, wait: float | None = None) -> Answer:
        """As `Provider.refusal` says."""
        return _error(*_WORDS[why])

    def error(self, status: int) -> Answer:
        """The body of a bare error status; gateways answer in HTML."""
        if status in (503, 504):
            return Answer(status, b"<html><body>Service Unavailable</body></html>", "text/html")
        known = {401: Why.BAD_KEY, 429: Why.TOO_FAST}.get(status)
        return self.refusal(known) if known else _error(status, "internal_error", "Something is wrong.")

    def nowhere(self, method: str, path: str) -> Answer:
        """An unknown path."""
        return _error(404, "not_found", "The requested API does not exist.")

    def expire(self, what: str) -> bool:
        """Void every token, or every search id."""
        if what == "tokens":
            self._tokens.clear()
        elif what == "cursors":
            self._generation += 1
        return what in ("tokens", "cursors")

    def _token(self, call: Call, account: str) -> Good:
        form = call.sent
        if form.get("grant_type") != "client_credentials" or not account or BAD_KEY in form.values():
            # Recorded: such a refusal can come with HTTP 200, and its error is a text.
            text = "Client key or secret is incorrect."
            return Good({"error": "invalid_client", "error_description": text, "log_id": _LOG_ID})
        self._made += 1
        token = f"clt.{Dice('token', account, self._made).hex(24)}"
        self._tokens[token] = (account, time.monotonic() + self._lifetime)
        return Good({"access_token": token, "expires_in": self._lifetime, "token_type": "Bearer"})

    def _videos(self, call: Call, account: str) -> Good:
        sent = call.sent
        first, last = _day(sent.get("start_date")), _day(sent.get("end_date"))
        word = word_of(sent.get("query"))
        if word is None or first is None or last is None or not first <= last <= first + _LONGEST_WINDOW:
            raise Refused(_error(400, "invalid_params", "query, start_date and end_date (30 days at most) are needed"))
        cursor, asked = sent.get("cursor", 0), sent.get("max_count", 20)
        if not isinstance(cursor, int) or cursor % STEP or not (isinstance(asked, int) and 1 <= asked <= 100):
            raise Refused(_error(400, "invalid_params", "Invalid count or cursor"))
        search_id = str(7_000_000_000_000_000_000 + Dice(self._generation, word, first, last).below(10**17))
        if cursor and sent.get("search_id") != search_id:
            raise Refused(_error(400, "invalid_params", f"Search Id {sent.get('search_id')} is invalid or expired"))
        pages = pages_of(self._seed, word, self._items, first, last)
        fields = call.params.get("fields", "id").split(",")
        place = cursor // STEP
        videos = pages[place] if place < len(pages) else []
        data = {
            "videos": [{name: video[name] for name in fields if name in video} for video in videos],
            "cursor": cursor + STEP,
            "has_more": place + 1 < len(pages),
            "search_id": search_id,
        }
        return Good({"data": data, "error": _OK})

    def _user(self, call: Call, account: str) -> Good:
        found = creator_of_handle(self._seed, str(call.sent.get("username", "")))
        if found is None or found.standing != "found":
            raise Refused(_error(400, "invalid_params", "cannot find the user"))
        known: dict[str, Any] = {
            "display_name": found.nickname,
            "bio_description": found.bio,
            "bio_url": found.link or "",
            "avatar_url": f"https://p1.cdn.example/{found.picture}.jpeg",
            "is_verified": any(found.verification),
            "follower_count": found.followers,
            "following_count": found.following,
            "likes_count": found.hearts,
            "video_count": found.videos,
        }
        fields = call.params.get("fields", "").split(",")
        return Good({"data": {name: known[name] for name in fields if name in known}, "error": _OK})


_OK = {"code": "ok", "message": "", "log_id": _LOG_ID}


def _day(text: Any) -> date | None:
    try:
        return datetime.strptime(str(text), "%Y%m%d").date()  # noqa: DTZ007 - a day, in UTC by definition
    except ValueError:
        return None


def _error(status: int, code: str, message: str) -> Answer:
    return told(status, {"data": {}, "error": {"code": code, "message": message, "log_id": _LOG_ID}})
