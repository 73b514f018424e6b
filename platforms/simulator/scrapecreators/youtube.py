"""ScrapeCreators' YouTube endpoints."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import msgspec

from platforms.simulator.calls import Call, Good
from platforms.simulator.channels import channel_of_id
from platforms.simulator.dice import Dice
from platforms.simulator.endpoint import Endpoint, Shape
from platforms.simulator.people import Creator, creator_of_handle
from platforms.simulator.scrapecreators.provider import given, nobody, wrong_parameter
from platforms.simulator.scrapecreators.youtube_items import channel_page
from platforms.simulator.scrapecreators.youtube_pages import STEP, channels_page, hashtag_page, search_page
from platforms.simulator.settings import Settings

_TEXTS = frozenset({"title", "name", "description", "channelName"})
_TOKEN_CHARACTERS = 590
_LISTS = (("videos",), ("shorts",), ("lives",), ("channels",), ("shelves",))


def youtube_endpoints(settings: Settings) -> tuple[Endpoint, ...]:
    """All of them."""
    world = _YouTube(settings)
    return (
        Endpoint(
            "/v1/youtube/search",
            world.search,
            shape=Shape(_LISTS, ("continuationToken",), "continuationToken", ("channel", "id"), _TEXTS),
            recorded="youtube_search",
        ),
        Endpoint(
            "/v1/youtube/search/hashtag",
            world.hashtag,
            shape=Shape((("videos",),), ("continuationToken",), "continuationToken", ("channel", "id"), _TEXTS),
            recorded="youtube_search_hashtag",
        ),
        Endpoint(
            "/v1/youtube/channel",
            world.channel,
            shape=Shape(shown=_TEXTS),
            recorded="youtube_channel",
            key=("channelId",),
            keys=("channelId", "handle", "url"),
        ),
    )


class _YouTube:
    def __init__(self, settings: Settings) -> None:
        self._seed = settings.seed
        self._items = settings.items_per_query

    def search(self, call: Call, account: str) -> Good:
        query = given(call, "query")
        if call.params.get("type") == "channels":
            return self._page(call, f"channels {query}", query, channels_page)
        return self._page(call, query, query, search_page)

    def hashtag(self, call: Call, account: str) -> Good:
        hashtag = given(call, "hashtag")
        return self._page(call, f"#{hashtag}", hashtag, hashtag_page)

    def channel(self, call: Call, account: str) -> Good:
        asked = given(call, "handle", "channelId", "url")
        if call.params.get("channelId"):
            found = channel_of_id(self._seed, call.params["channelId"])
        else:
            found = self._named(call.params.get("handle") or asked)
        if found is not None:
            return Good(channel_page(found))
        # Recorded: says success, and costs a credit.
        body = nobody(
            success=True, accountDoesNotExist=True, userId=None, channel=f"https://www.youtube.example/{asked}"
        )
        return Good(body.body, body.status, 1)

    def _named(self, asked: str) -> Creator | None:
        handle = urlsplit(asked).path.rstrip("/").rpartition("/")[2] if "/" in asked else asked
        if "/" in asked and handle.startswith("UC"):
            return channel_of_id(self._seed, handle)
        found = creator_of_handle(self._seed, handle.removeprefix("@"))
        return found if found and found.standing != "gone" else None

    def _page(self, call: Call, walk: str, word: str, make: Callable[[int, str, int, int], dict[str, Any]]) -> Good:
        page = 0
        if token := call.params.get("continuationToken"):
            page = _page_of(token, walk)
        lists = make(self._seed, word, page, self._items)
        if (page + 1) * STEP < self._items:
            lists["continuationToken"] = _token(walk, page + 1)
        return Good(lists)


def _token(walk: str, page: int) -> str:
    """An opaque marker of the length that real ones have, good for its own query only."""
    packed = msgspec.json.encode([walk, page])
    filler = Dice("token", walk, page).hex(max(0, _TOKEN_CHARACTERS * 3 // 4 - len(packed)))
    return urlsafe_b64encode(packed + b"\n" + filler.encode()).decode()


def _page_of(token: str, walk: str) -> int:
    try:
        asked, page = msgspec.json.decode(urlsafe_b64decode(token).partition(b"\n")[0], type=tuple[str, int])
    except (ValueError, msgspec.DecodeError):
        asked, page = "", 0
    if asked != walk:
        raise wrong_parameter("continuationToken is not one of this search")
    return page
