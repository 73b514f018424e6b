"""YouTube by ScrapeCreators: words, hashtags, and channels like a target."""

from typing import Any

from platforms.contract import Query, SearchKind
from platforms.pages import Response, start_walk
from platforms.scrapecreators.outcomes import SEARCH_RULES
from platforms.scrapecreators.youtube.similar import Target
from tests.conformance.kit import JSON, Kit, StepKit, answer
from tests.conformance.kits.scrapecreators_answers import SEARCH_ANSWERS, TARGET_ANSWERS

WORD = "studio coffee"
TARGET = "UCtargettargettargettarg"
MARKERS = ("", "EpcDEgR-2", "EpcDEgR-3")


def channel_id(number: int) -> str:
    """A channel's id, 24 characters."""
    return f"UCbrewing{number:015}"


def video(number: int) -> dict[str, Any]:
    """One video, with some keys that nobody reads. Lower numbers have more views."""
    return {
        "type": "video",
        "id": f"vid{number:08}",
        "url": f"https://www.youtube.com/watch?v=vid{number:08}",
        "title": f"Latte number {number}, with a barista #latte #קפה",
        "thumbnail": f"https://i.ytimg.example/{number}.jpg",
        "channel": {
            "id": channel_id(number),
            "title": f"Barista {number}",
            "handle": f"barista{number}",
            "thumbnail": f"https://yt3.example/{number}=s68-c-rj",
        },
        "viewCountText": f"{900_000 - number:,} views",
        "viewCountInt": 900_000 - number,
        "publishedTimeText": "5 years ago",
        "publishedTime": "2021-03-01T10:00:00.500Z",
        "lengthText": "13:26",
        "lengthSeconds": 806,
        "badges": ["4K"],
    }


def short_without_channel(number: int) -> dict[str, Any]:
    """A short as shelves have it: nothing says whose it is."""
    return {"type": "short", "id": f"sho{number:08}", "title": "A short", "viewCountText": "331K", "viewCountInt": 1}


def channel_part(number: int) -> dict[str, Any]:
    """The ``creator`` of a result when no profile was looked up."""
    avatar = f"https://yt3.example/{number}=s68-c-rj"
    return {
        "name": f"Barista {number}",
        "followers": 0,
        "avatarUrl": avatar,
        "profilePicUrl": avatar,
        "bio": "",
        "emails": [],
        "socialLinks": [],
        "channelId": channel_id(number),
        "handle": f"barista{number}",
        "uniqueId": f"barista{number}",
        "verified": False,
        "country": "",
        "joinedDateText": "",
        "id": channel_id(number),
    }


def creator(number: int, *keywords: str) -> dict[str, Any]:
    """What `video` is stored as, without its provenance, when no profile was looked up."""
    return {
        "creator": channel_part(number),
        "video": {
            "description": f"Latte number {number}, with a barista #latte #קפה",
            "url": f"https://www.youtube.com/watch?v=vid{number:08}",
            "statistics": {"likes": 0, "comments": 0, "views": 900_000 - number, "shares": 0},
            "id": f"vid{number:08}",
        },
        "hashtags": ["#latte", "#קפה"],
        "publishedTime": "2021-03-01T10:00:00.500000Z",
        "publishedTimeText": "5 years ago",
        "lengthSeconds": 806,
        "keywords": list(keywords),
        "platform": "YouTube",
        "enhancementStatus": "skipped",
    }


def similar(number: int, word: str = "") -> dict[str, Any]:
    """The same as a channel that resembles the target."""
    return {
        "id": channel_id(number),
        "username": f"barista{number}",
        "handle": f"barista{number}",
        "full_name": f"Barista {number}",
        "bio": "",
        "emails": [],
        "socialLinks": [],
        "profile_pic_url": f"https://yt3.example/{number}=s68-c-rj",
        "profileUrl": f"https://www.youtube.com/@barista{number}",
        "subscriberCount": "",
        "is_verified": False,
        "videos": [
            {
                "id": f"vid{number:08}",
                "title": f"Latte number {number}, with a barista #latte #קפה",
                "url": f"https://www.youtube.com/watch?v=vid{number:08}",
                "views": 900_000 - number,
                "publishedTime": "2021-03-01T10:00:00.500000Z",
            }
        ],
        "creator": channel_part(number),
        "searchKeyword": word,
        "platform": "YouTube",
        "searchType": "similar",
        "enhancementStatus": "skipped",
    }


def marker(number: int) -> str:
    """The page marker told on the page of this number."""
    return MARKERS[number] if number < len(MARKERS) else f"EpcDEgR-{number + 1}"


def page(items: list[Any], number: int) -> Response:
    """One page, as the search tells it."""
    lists = {"videos": items, "channels": [], "playlists": [], "shorts": [], "shelves": [], "lives": []}
    return answer({"success": True, "credits_charged": 1, **lists, "continuationToken": marker(number)})


def hashtag_page(items: list[Any], number: int) -> Response:
    """One page, as the hashtag search tells it."""
    return answer({"success": True, "credits_charged": 1, "videos": items, "continuationToken": marker(number)})


def about(**changes: Any) -> dict[str, Any]:
    """A channel as its own endpoint tells it, with some keys that nobody reads."""
    sources = [{"url": f"https://yt3.example/t=s{width}-c-rj", "width": width, "height": width} for width in (72, 160)]
    return {
        "success": True,
        "credits_charged": 1,
        "channelId": TARGET,
        "channel": "http://www.youtube.com/@studiocoffee",
        "handle": "@StudioCoffee",
        "name": "Studio Coffee",
        "avatar": {"image": {"sources": sources, "processor": {}}},
        "description": "Espresso and filter recipes.\nWrite to hello@studiocoffee.example",
        "subscriberCount": 42500,
        "subscriberCountText": "42.5K subscribers",
        "videoCountText": "256 videos",
        "viewCount": 22790316,
        "joinedDateText": "Joined Mar 8, 2017",
        "tags": "espresso, latte art, Studio Coffee, espresso, filter coffee",
        "email": None,
        "store": "https://store.studiocoffee.example",
        "check_us_out_on_x_(twitter)": "https://x.example/studiocoffee",
        "links": ["https://store.studiocoffee.example", "mailto:shop@studiocoffee.example"],
        "country": "Portugal",
        **changes,
    }


_SHAPES = {
    "missing_list": answer({"success": True, "continuationToken": "x"}),
    "success_false": answer({"success": False, "message": "Something broke"}),
    "wrong_page_shape": answer({"videos": {"0": video(1)}}),
    "all_items_unreadable": page([{**video(1), "channel": None}, {**video(2), "id": " "}], 1),
    "not_json": Response(200, JSON, b'{"videos": [{"type": "video", "id": "7'),
}
_NOTHING: dict[str, Any] = {"videos": [], "channels": [], "playlists": [], "shorts": [], "shelves": [], "lives": []}
_ODD = (None, 7, "text", [], {}, {"id": "x", "type": "video"}, {"id": "x", "channel": {"title": ""}})

KEYWORD = Kit(
    platform="youtube",
    kind="keyword",
    provider="scrapecreators",
    source="search",
    query=Query(
        "youtube",
        SearchKind.KEYWORD,
        keywords=(WORD,),
        options={"sort_by": "most-liked", "date_posted": "this-week", "type": "Shorts", "other": "x"},
    ),
    walk=start_walk("search", WORD, ""),
    first_request=(
        "/v1/youtube/search",
        {"query": WORD, "region": "US", "sortBy": "popular", "uploadDate": "this_week", "type": "shorts"},
    ),
    good=page([video(1)], 1),
    rules=SEARCH_RULES,
    answers={**SEARCH_ANSWERS, "ok": page([video(1)], 1)},
    wrong_shapes=_SHAPES,
    item=video,
    page=page,
    cursors=MARKERS,
    creator=lambda number: creator(number, WORD),
    ended=answer({"success": True, **_NOTHING, "continuationToken": None}),
    empty=answer({"success": True, **_NOTHING, "continuationToken": "x"}),
    repeated_cursor=page([video(1)], 1),
    text=("Latte number 1", "video.description"),
    odd_items=_ODD,
    names=("arista", r"ar\u0000ista"),
)

HASHTAG = Kit(
    platform="youtube",
    kind="keyword",
    provider="scrapecreators",
    source="hashtag",
    query=Query("youtube", SearchKind.KEYWORD, keywords=("#latte",), options={"sort_by": "x", "type": "shorts"}),
    walk=start_walk("hashtag", "latte", ""),
    first_request=("/v1/youtube/search/hashtag", {"hashtag": "latte", "type": "shorts"}),
    good=hashtag_page([video(1)], 1),
    rules=SEARCH_RULES,
    answers={**SEARCH_ANSWERS, "ok": hashtag_page([video(1)], 1)},
    wrong_shapes={**_SHAPES, "all_items_unreadable": hashtag_page([{**video(1), "channel": None}], 1)},
    item=video,
    page=hashtag_page,
    cursors=MARKERS,
    creator=lambda number: creator(number, "latte"),
    ended=answer({"success": True, "videos": []}),
    empty=answer({"success": True, "videos": [], "continuationToken": "x"}),
    repeated_cursor=hashtag_page([video(1)], 1),
    text=("Latte number 1", "video.description"),
    odd_items=_ODD,
    names=("arista", r"ar\u0000ista"),
)

_SIMILAR = Query("youtube", SearchKind.SIMILAR, target_username="StudioCoffee")

TARGET_STEP = StepKit(
    platform="youtube",
    kind="similar",
    provider="scrapecreators",
    source="target",
    query=_SIMILAR,
    walk=start_walk("target", "StudioCoffee", ""),
    first_request=("/v1/youtube/channel", {"handle": "StudioCoffee"}),
    good=answer(about()),
    rules=Target.rules,
    answers={**TARGET_ANSWERS, "ok": answer(about())},
    wrong_shapes={
        "missing_channel": answer({"success": True, "name": "Studio Coffee"}),
        "wrong_profile_shape": answer(about(channelId=5)),
        "not_json": Response(200, JSON, b'{"channelId": "UC'),
    },
)

TOPIC = Kit(
    platform="youtube",
    kind="similar",
    provider="scrapecreators",
    source="topic",
    query=_SIMILAR,
    walk=start_walk("topic", "latte art", TARGET),
    first_request=("/v1/youtube/search", {"query": "latte art", "region": "US"}),
    good=page([video(1)], 1),
    rules=SEARCH_RULES,
    answers={**SEARCH_ANSWERS, "ok": page([video(1)], 1)},
    wrong_shapes=_SHAPES,
    item=video,
    page=page,
    cursors=(TARGET, *MARKERS[1:]),
    creator=lambda number: similar(number, "latte art"),
    ended=answer({"success": True, **_NOTHING, "continuationToken": None}),
    empty=answer({"success": True, **_NOTHING, "continuationToken": "x"}),
    repeated_cursor=page([video(1)], 1),
    text=("Latte number 1", "videos.0.title"),
    odd_items=_ODD,
    names=("arista", r"ar\u0000ista"),
)

KITS = (KEYWORD, HASHTAG, TARGET_STEP, TOPIC)
