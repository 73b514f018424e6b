"""What each endpoint's reader cannot do without: ids, names and the numbers that creators are chosen by.

Paths are those of `platforms.drift`. One that never was usual at an endpoint is not missed, so a path too many does no
harm; a lost one stops the endpoint.
"""

from collections.abc import Mapping
from typing import Final

_AWEME: Final = ("aweme_id", "author.uid", "author.unique_id", "author.follower_count", "statistics.play_count")
_TIKTOK_USER: Final = ("uid", "unique_id", "follower_count")
_REEL: Final = ("id", "owner.id", "owner.username", "like_count")
_VIDEO: Final = ("id", "channel.id")
_GRAPH_POST: Final = ("id", "permalink")


def _each(inside: str, paths: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(f"{inside}.{path}" for path in paths)


REQUIRED: Final[Mapping[tuple[str, str], tuple[str, ...]]] = {
    ("scrapecreators", "tiktok/search/keyword"): _each("search_item_list[].aweme_info", _AWEME),
    ("scrapecreators", "tiktok/search/hashtag"): _each("aweme_list[]", _AWEME),
    ("scrapecreators", "tiktok/search/users"): _each("users[].user_info", _TIKTOK_USER),
    ("scrapecreators", "tiktok/user/following"): _each("followings[]", _TIKTOK_USER),
    ("scrapecreators", "tiktok/profile"): ("user.signature", "stats.followerCount"),
    ("scrapecreators", "instagram/reels/search"): _each("reels[]", _REEL),
    ("scrapecreators", "instagram/search/hashtag"): _each("posts[]", _REEL),
    ("scrapecreators", "instagram/search/profiles"): ("profiles[].id", "profiles[].username"),
    ("scrapecreators", "instagram/profile"): (
        "data.user.id",
        "data.user.biography",
        "data.user.edge_followed_by.count",
    ),
    ("scrapecreators", "youtube/search"): _each("videos[]", _VIDEO),
    ("scrapecreators", "youtube/search/hashtag"): _each("videos[]", _VIDEO),
    ("scrapecreators", "youtube/channel"): ("channelId", "name", "subscriberCount"),
    ("tiktok_research", "research/video/query"): ("data.videos[].id", "data.videos[].username"),
    ("tiktok_research", "research/user/info"): ("data.bio_description", "data.follower_count"),
    ("youtube_data_api", "youtube/v3/search"): ("items[].id.kind", "items[].snippet.channelId"),
    ("youtube_data_api", "youtube/v3/channels"): ("items[].id", "items[].snippet.title", "items[].statistics"),
    ("instagram_graph", "hashtag/top_media"): _each("data[]", _GRAPH_POST),
    ("instagram_graph", "hashtag/recent_media"): _each("data[]", _GRAPH_POST),
    ("apify", "datasets/items"): ("[].relatedProfiles[].id", "[].relatedProfiles[].username"),
}


def required_paths(provider: str, endpoint: str) -> tuple[str, ...]:
    """The paths that must not change at an endpoint; none where nothing is known of it."""
    return REQUIRED.get((provider, endpoint), ())
