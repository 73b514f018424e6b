"""Pages of ScrapeCreators' YouTube search. Pure: a page follows from (seed, query, page)."""

from typing import Any

from platforms.simulator.channels import video_of
from platforms.simulator.dice import Dice
from platforms.simulator.scrapecreators.youtube_items import found_channel, found_video
from platforms.simulator.walks import author_at, walk_of

SEARCH, SHELF, CHANNELS, HASHTAG = "youtube/search", "youtube/shelf", "youtube/channels", "youtube/hashtag"
STEP = 20
_SHELF_ITEMS = 6


def search_page(seed: int, query: str, page: int, items: int) -> dict[str, Any]:
    """The lists of one page: 20 videos, shorts and lives, and on the first page shelves and maybe a channel."""
    walk = walk_of(SEARCH, query.lower())
    lists: dict[str, Any] = {name: [] for name in ("videos", "channels", "playlists", "shorts", "shelves", "lives")}
    for at in range(page * STEP, min((page + 1) * STEP, items)):
        thrown = Dice(seed, "kind", walk, at).below(100)
        kind = "short" if thrown < 35 else "live" if thrown < 39 else "video"
        lists[f"{kind}s"].append(found_video(video_of(seed, walk, at), kind))
    if page == 0 and items:
        if Dice(seed, "channel shown", walk).percent(50):
            lists["channels"].append(found_channel(author_at(seed, walk, 0)))
        lists["shelves"] = _shelves(seed, walk_of(SHELF, query.lower()), min(items, _SHELF_ITEMS))
    return lists


def channels_page(seed: int, query: str, page: int, items: int) -> dict[str, Any]:
    """The page of a search for channels only."""
    walk = walk_of(CHANNELS, query.lower())
    places = range(page * STEP, min((page + 1) * STEP, items))
    found = [found_channel(author_at(seed, walk, at)) for at in places]
    return {"videos": [], "channels": found, "playlists": [], "shorts": [], "shelves": [], "lives": []}


def hashtag_page(seed: int, hashtag: str, page: int, items: int) -> dict[str, Any]:
    """The page of a hashtag: videos whose channels have no handle."""
    walk = walk_of(HASHTAG, hashtag.lower())
    videos = []
    for at in range(page * STEP, min((page + 1) * STEP, items)):
        video = {**found_video(video_of(seed, walk, at), "video"), "description": ""}
        video["channel"] = {key: value for key, value in video["channel"].items() if key != "handle"}
        videos.append(video)
    return {"videos": videos}


def channels_told(seed: int, query: str, items: int) -> tuple[str, ...]:
    """The ids of all channels on the pages of a search."""
    found: list[str] = []
    for page in range(-(-items // STEP)):
        lists = search_page(seed, query, page, items)
        shelved = [item for shelf in lists["shelves"] for item in shelf["items"]]
        shown = [item.get("channel") or {} for item in [*lists["videos"], *lists["shorts"], *lists["lives"], *shelved]]
        found += [channel["id"] for channel in [*shown, *lists["channels"]] if channel.get("id")]
    return tuple(dict.fromkeys(found))


def _shelves(seed: int, walk: str, items: int) -> list[dict[str, Any]]:
    """Recorded: shorts in a shelf have no channel, and some videos there a channel without id and title."""
    shorts = [found_video(video_of(seed, walk, at), "short", in_shelf=True) for at in range(items)]
    for short in shorts:
        del short["channel"], short["publishedTimeText"], short["publishedTime"]
        del short["lengthText"], short["lengthSeconds"]
    watched = [found_video(video_of(seed, walk, items + at), "video") for at in range(items)]
    if watched:
        watched[-1]["channel"] = {"title": ""}
    return [
        {"type": "shelf", "title": "Shorts", "items": shorts},
        {"type": "shelf", "title": "People also watched", "items": watched},
    ]
