"""ScrapeCreators' TikTok endpoints. Shapes followed from recorded answers of 2025 and the vendor's examples of 2026."""

from typing import Any

from platforms.simulator.calls import Call, Good, whole
from platforms.simulator.dice import Dice
from platforms.simulator.endpoint import Endpoint, Shape
from platforms.simulator.mutations import PROFILE_MUTATIONS, SEARCH_MUTATIONS
from platforms.simulator.padding import padded
from platforms.simulator.people import creator, creator_of_handle
from platforms.simulator.scrapecreators.provider import given, nobody, wrong_parameter
from platforms.simulator.scrapecreators.tiktok_users import followed_user, found_user
from platforms.simulator.settings import PROFILE_PATH, SEARCH_PATH, Settings
from platforms.simulator.source import Source
from platforms.simulator.tiktok_items import item_of
from platforms.simulator.truth import TIKTOK_HASHTAG, TIKTOK_USERS, followings_of
from platforms.simulator.walks import author_at, video_at, walk_of

_HASHTAG_STEP = 20
_USERS_STEP = 30
_FOLLOWING_STEP = 20
_FOLLOWING_SINCE = 1_750_000_000
"""The moment the newest followings walk begins; each user followed before is a day older."""

_DAY_SECONDS = 86_400


def tiktok_endpoints(settings: Settings, source: Source) -> tuple[Endpoint, ...]:
    """All of them; ``source`` gives keyword pages and profiles."""
    world = _TikTok(settings, source)
    return (
        Endpoint(
            SEARCH_PATH,
            world.search,
            shape=Shape((("search_item_list",),), ("cursor",), "cursor"),
            mutations=SEARCH_MUTATIONS,
            bulky=padded,
        ),
        Endpoint(PROFILE_PATH, world.profile, mutations=PROFILE_MUTATIONS),
        Endpoint(
            "/v1/tiktok/search/hashtag",
            world.hashtag,
            shape=Shape((("aweme_list",),), ("cursor",), "cursor", ("author", "uid"), frozenset({"desc", "nickname"})),
            recorded="tiktok_search_hashtag",
        ),
        Endpoint(
            "/v1/tiktok/search/users",
            world.users,
            shape=Shape((("users",),), ("cursor",), "cursor", ("user_info", "uid"), frozenset({"nickname"})),
            recorded="tiktok_search_users",
        ),
        Endpoint(
            "/v1/tiktok/user/following",
            world.following,
            shape=Shape((("followings",),), ("min_time",), "min_time", ("uid",), frozenset({"nickname", "signature"})),
            recorded="tiktok_user_following",
        ),
    )


class _TikTok:
    def __init__(self, settings: Settings, source: Source) -> None:
        self._seed = settings.seed
        self._items = settings.items_per_query
        self._source = source

    def search(self, call: Call, account: str) -> Good:
        query = given(call, "query")
        return Good(self._source.search(query, _cursor(call, "cursor")))

    def profile(self, call: Call, account: str) -> Good:
        found = self._source.profile(given(call, "handle"))
        return nobody() if found is None else Good(found)

    def hashtag(self, call: Call, account: str) -> Good:
        walk, cursor = walk_of(TIKTOK_HASHTAG, given(call, "hashtag").lower()), _cursor(call, "cursor")
        last = min(cursor + _HASHTAG_STEP, self._items)
        found = [item_of(video_at(self._seed, walk, at))["aweme_info"] for at in range(cursor, last)]
        page = {"aweme_list": found, "cursor": cursor + _HASHTAG_STEP, "has_more": int(last < self._items)}
        return Good({**page, "extra": {"fatal_item_ids": []}, "status_code": 0, "status_msg": ""})

    def users(self, call: Call, account: str) -> Good:
        walk, cursor = walk_of(TIKTOK_USERS, given(call, "query").lower()), _cursor(call, "cursor")
        places = range(cursor, min(cursor + _USERS_STEP, self._items))
        found = [found_user(author_at(self._seed, walk, at), Dice(self._seed, "found", walk, at)) for at in places]
        return Good({"cursor": cursor + _USERS_STEP, "users": found})

    def following(self, call: Call, account: str) -> Good:
        target = creator_of_handle(self._seed, given(call, "handle"))
        if target is None or target.standing == "gone":
            return nobody()
        since = _cursor(call, "min_time") or _FOLLOWING_SINCE
        start = max(0, (_FOLLOWING_SINCE - since) // _DAY_SECONDS)
        numbers = followings_of(self._seed, target.handle)
        found = [followed_user(creator(self._seed, number)) for number in numbers[start : start + _FOLLOWING_STEP]]
        page: dict[str, Any] = {
            "followings": found,
            "has_more": start + _FOLLOWING_STEP < len(numbers),
            "max_time": since,
            "min_time": since - len(found) * _DAY_SECONDS,
            # The account's own count, not what can be walked.
            "total": target.following,
        }
        return Good({**page, "offset": 0, "rec_has_more": page["has_more"], "status_code": 0, "status_msg": ""})


def _cursor(call: Call, name: str) -> int:
    cursor = whole(call.params.get(name), 0, most=10**10)
    if cursor is None:
        raise wrong_parameter(f"{name} must be a number")
    return cursor
