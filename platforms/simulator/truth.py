"""The truth of every endpoint: which creators a complete walk has to find. Pure, without HTTP, for tests.

``items`` is the simulator's ``items_per_query``. Ids are those that the endpoint's answers tell, in the order they
first appear. TikTok's keyword search is `platforms.simulator.catalogue.creators_of`.
"""

from functools import lru_cache

from platforms.simulator.channels import channel_id, video_of
from platforms.simulator.dice import Dice
from platforms.simulator.people import NUMBERS, Creator, creator_of_handle, number_of, uid_of
from platforms.simulator.research_world import usernames
from platforms.simulator.scrapecreators.youtube_pages import HASHTAG, channels_told
from platforms.simulator.walks import numbers_of, video_at, walk_of

TIKTOK_HASHTAG, TIKTOK_USERS = "tiktok/hashtag", "tiktok/users"
INSTAGRAM_REELS, INSTAGRAM_HASHTAG, INSTAGRAM_PROFILES = "instagram/reels", "instagram/hashtag", "instagram/profiles"

OFFICIAL_SEARCH = "youtube_data_api"
GRAPH_TOP, GRAPH_RECENT = "graph/top", "graph/recent"

GOOGLE_INDEX_PAGES, GOOGLE_INDEX_STEP = 11, 10
"""How far the searches behind Instagram go, in pages, and how many results each page has."""

MOST_OFFICIAL_RESULTS = 500
"""A walk of the official YouTube search ends here, whatever ``totalResults`` says."""

MOST_TOP_POSTS = 100
"""How many posts a hashtag shows as its most popular ones."""

_INSTAGRAM_BASE = 10_000_000_000
_MOST_FOLLOWINGS = 70


def instagram_id(number: int) -> str:
    """The id of a creator's Instagram account."""
    return str(_INSTAGRAM_BASE + number)


def tiktok_hashtag_creators(seed: int, hashtag: str, items: int) -> tuple[str, ...]:
    """The uids below a hashtag."""
    return tuple(map(uid_of, numbers_of(seed, walk_of(TIKTOK_HASHTAG, hashtag.lower()), items)))


def tiktok_found_users(seed: int, query: str, items: int) -> tuple[str, ...]:
    """The uids that the user search finds."""
    return tuple(map(uid_of, numbers_of(seed, walk_of(TIKTOK_USERS, query.lower()), items)))


def tiktok_followings(seed: int, handle: str) -> tuple[str, ...]:
    """The uids whom an account follows, as far as its list is open."""
    return tuple(map(uid_of, followings_of(seed, handle)))


@lru_cache(maxsize=1024)
def followings_of(seed: int, handle: str) -> tuple[int, ...]:
    """Whom an account follows, by number; nobody for a private account."""
    target = creator_of_handle(seed, handle)
    if target is None or target.standing != "found":
        return ()
    dice = Dice(seed, "followings", target.uid)
    return tuple(dict.fromkeys(dice.below(NUMBERS) for _ in range(min(target.following, dice.below(_MOST_FOLLOWINGS)))))


def instagram_reel_owners(seed: int, query: str, items: int) -> tuple[str, ...]:
    """The ids of those whose reels the search finds."""
    return _instagram(seed, INSTAGRAM_REELS, query, items)


def instagram_hashtag_owners(seed: int, hashtag: str, items: int) -> tuple[str, ...]:
    """The ids of those who posted below a hashtag."""
    return _instagram(seed, INSTAGRAM_HASHTAG, hashtag, items)


def instagram_found_profiles(seed: int, query: str, items: int) -> tuple[str, ...]:
    """The ids that the profile search finds."""
    return _instagram(seed, INSTAGRAM_PROFILES, query, items)


def instagram_related(seed: int, handle: str) -> tuple[str, ...]:
    """The ids of the profiles related to an account."""
    target = creator_of_handle(seed, handle)
    return tuple(map(instagram_id, related_numbers(seed, target))) if target else ()


def related_numbers(seed: int, target: Creator) -> tuple[int, ...]:
    """Who is related to an account on Instagram: 80, 21 or none; none for a private account."""
    if target.standing != "found":
        return ()
    dice = Dice(seed, "related", target.uid)
    return tuple(dict.fromkeys(dice.below(NUMBERS) for _ in range(dice.pick((80, 80, 21, 0)))))


def youtube_search_channels(seed: int, query: str, items: int) -> tuple[str, ...]:
    """The ids of all channels that the search tells: of videos, shorts, lives, shelves, and channels found."""
    return channels_told(seed, query, items)


def channels_below(seed: int, source: str, word: str, items: int) -> tuple[str, ...]:
    """The ids of the channels in a plain list of videos."""
    walk = walk_of(source, word)
    return tuple(dict.fromkeys(channel_id(number_of(video_of(seed, walk, at).author.uid)) for at in range(items)))


def _instagram(seed: int, source: str, word: str, items: int) -> tuple[str, ...]:
    most = min(items, GOOGLE_INDEX_PAGES * GOOGLE_INDEX_STEP)
    return tuple(map(instagram_id, numbers_of(seed, walk_of(source, word.lower()), most)))


def youtube_data_api_channels(seed: int, query: str, items: int) -> tuple[str, ...]:
    """The ids of the channels that the official search tells."""
    return channels_below(seed, OFFICIAL_SEARCH, query.lower(), min(items, MOST_OFFICIAL_RESULTS))


def youtube_hashtag_channels(seed: int, hashtag: str, items: int) -> tuple[str, ...]:
    """The ids of the channels below a hashtag."""
    return channels_below(seed, HASHTAG, hashtag.lower(), items)


def tiktok_research_handles(seed: int, word: str, items: int) -> tuple[str, ...]:
    """The handles that a walk of video queries through a year or more finds; a hashtag begins with ``#``."""
    return usernames(seed, word, items)


def instagram_graph_posts(seed: int, hashtag: str, items: int) -> tuple[str, ...]:
    """The ids of a hashtag's top and recent posts; their creators are told by nobody."""
    top = [video_at(seed, walk_of(GRAPH_TOP, hashtag), at).id for at in range(min(items, MOST_TOP_POSTS))]
    return tuple(dict.fromkeys([*top, *(video_at(seed, walk_of(GRAPH_RECENT, hashtag), at).id for at in range(items))]))
