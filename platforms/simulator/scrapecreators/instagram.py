"""ScrapeCreators' Instagram endpoints."""

from typing import Any

from platforms.simulator.calls import Call, Good, whole
from platforms.simulator.dice import Dice
from platforms.simulator.endpoint import Endpoint, Shape
from platforms.simulator.people import creator, creator_of_handle
from platforms.simulator.scrapecreators.instagram_shapes import account, found_profile, reel, related, timeline
from platforms.simulator.scrapecreators.provider import given, nobody, wrong_parameter
from platforms.simulator.settings import Settings
from platforms.simulator.truth import (
    GOOGLE_INDEX_PAGES,
    GOOGLE_INDEX_STEP,
    INSTAGRAM_HASHTAG,
    INSTAGRAM_PROFILES,
    INSTAGRAM_REELS,
    related_numbers,
)
from platforms.simulator.videos import make_video
from platforms.simulator.walks import author_at, video_at, walk_of

_TEXTS = frozenset({"biography", "full_name", "caption", "username"})


def instagram_endpoints(settings: Settings) -> tuple[Endpoint, ...]:
    """All of them."""
    world = _Instagram(settings)
    return (
        Endpoint(
            "/v1/instagram/profile",
            world.profile,
            shape=Shape((("data", "user", "edge_related_profiles", "edges"),), who=("node", "id"), shown=_TEXTS),
            recorded="instagram_profile",
            key=("data", "user", "username"),
            keys=("handle",),
        ),
        Endpoint(
            "/v2/instagram/reels/search",
            world.reels,
            shape=Shape((("reels",),), None, "page", ("owner", "id"), _TEXTS),
            recorded="instagram_reels_search",
        ),
        Endpoint(
            "/v1/instagram/search/hashtag",
            world.hashtag,
            shape=Shape((("posts",),), ("cursor",), "cursor", ("owner", "id"), _TEXTS),
            recorded="instagram_search_hashtag",
        ),
        Endpoint(
            "/v1/instagram/search/profiles",
            world.profiles,
            shape=Shape((("profiles",),), ("cursor",), "cursor", ("id",), _TEXTS),
            recorded="instagram_search_profiles",
        ),
    )


class _Instagram:
    def __init__(self, settings: Settings) -> None:
        self._seed = settings.seed
        self._items = min(settings.items_per_query, GOOGLE_INDEX_PAGES * GOOGLE_INDEX_STEP)

    def profile(self, call: Call, asked_by: str) -> Good:
        found = creator_of_handle(self._seed, given(call, "handle"))
        if found is None or found.standing == "gone":
            return nobody()
        user = account(found)
        posts = (
            []
            if found.standing == "private"
            else [make_video(found, "daily", "timeline", found.uid, at) for at in range(3)]
        )
        user["edge_owner_to_timeline_media"] = {
            "count": found.videos,
            "edges": [{"node": timeline(post)} for post in posts],
        }
        # Not recorded for a private account: some come with an empty list, some without the key.
        if found.standing == "found" or Dice("edge", found.uid).percent(50):
            numbers = related_numbers(self._seed, found)
            edges = [{"node": related(creator(self._seed, number))} for number in numbers]
            user["edge_related_profiles"] = {"edges": edges}
        return Good({"data": {"user": user}, "status": "ok"})

    def reels(self, call: Call, asked_by: str) -> Good:
        walk = walk_of(INSTAGRAM_REELS, given(call, "query").lower())
        places = self._places(_page(call, "page"))
        return Good({"reels": [reel(video_at(self._seed, walk, at)) for at in places]})

    def hashtag(self, call: Call, asked_by: str) -> Good:
        tag, page = given(call, "hashtag"), _page(call, "cursor")
        walk = walk_of(INSTAGRAM_HASHTAG, tag.lower())
        posts = [reel(video_at(self._seed, walk, at)) for at in self._places(page)]
        return Good({"hashtag": tag, "media_type": "all", "posts": posts, **self._next(page)})

    def profiles(self, call: Call, asked_by: str) -> Good:
        query, page = given(call, "query"), _page(call, "cursor")
        walk = walk_of(INSTAGRAM_PROFILES, query.lower())
        found = [found_profile(author_at(self._seed, walk, at), Dice("matched", walk, at)) for at in self._places(page)]
        return Good({"query": query, "profiles": found, **self._next(page)})

    def _places(self, page: int) -> range:
        return range((page - 1) * GOOGLE_INDEX_STEP, min(page * GOOGLE_INDEX_STEP, self._items))

    def _next(self, page: int) -> dict[str, Any]:
        """The next page's number as text; none after the last."""
        more = page < GOOGLE_INDEX_PAGES and page * GOOGLE_INDEX_STEP < self._items
        return {"cursor": str(page + 1) if more else None}


def _page(call: Call, name: str) -> int:
    page = whole(call.params.get(name), 1, least=1, most=GOOGLE_INDEX_PAGES)
    if page is None:
        raise wrong_parameter(f"{name} must be a number from 1 to {GOOGLE_INDEX_PAGES}")
    return page
