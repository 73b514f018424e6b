"""YouTube by its own Data API: words, and channels like a target."""

from typing import Any

from platforms.contract import Query, SearchKind
from platforms.pages import Response, start_walk
from platforms.youtube_data_api.outcomes import RULES
from platforms.youtube_data_api.similar import Target
from tests.conformance.kit import JSON, Kit, StepKit, answer, html
from tests.conformance.kits.scrapecreators_youtube import MARKERS, TARGET, WORD, channel_id, channel_part, marker


def error(status: int, reason: str | None = None, /, **more: Any) -> Response:
    """An error in the API's envelope."""
    reasons = [{"message": "No", "domain": "global", "reason": reason}] if reason else []
    return answer({"error": {"code": status, "message": "No", "errors": reasons, **more}}, status)


ANSWERS = {
    "not_json_with_2xx": html(200, "Just a moment"),
    "redirect": Response(302, {"location": "https://elsewhere.example/"}, b""),
    "quota_exceeded": error(403, "quotaExceeded"),
    "rate_limited": error(403, "userRateLimitExceeded"),
    "bad_key": error(400, "keyInvalid"),
    "provider_fault": error(500, "backendError"),
    "project_refused": error(403, "accessNotConfigured"),
    "bad_page_token": error(400, "invalidPageToken"),
    "not_found": error(404, "channelNotFound"),
    "gateway_refusal": html(403, "Access denied"),
    "forbidden": error(403, "neverHeardOf"),
    "unknown_route": html(404),
    "bad_request": error(400, "invalidSearchFilter"),
    "error_with_2xx": error(200, "neverHeardOf"),
}


def result(number: int) -> dict[str, Any]:
    """One video, with HTML entities in its texts and some keys that nobody reads."""
    return {
        "kind": "youtube#searchResult",
        "etag": "x",
        "id": {"kind": "youtube#video", "videoId": f"vid{number:08}"},
        "snippet": {
            "publishedAt": "2021-03-01T10:00:00Z",
            "publishTime": "2021-03-01T10:00:00Z",
            "channelId": channel_id(number),
            "title": f"Latte number {number}, with a barista &amp; a cup #latte",
            "description": "It&#39;s hot ... #קפה",
            "thumbnails": {},
            "channelTitle": f"Barista {number}",
            "liveBroadcastContent": "none",
        },
    }


def _part(number: int) -> dict[str, Any]:
    return channel_part(number) | {"avatarUrl": "", "profilePicUrl": "", "handle": "", "uniqueId": ""}


def creator(number: int, *keywords: str) -> dict[str, Any]:
    """What `result` is stored as, without its provenance, when no profile was looked up."""
    return {
        "creator": _part(number),
        "video": {
            "description": f"Latte number {number}, with a barista & a cup #latte",
            "url": f"https://www.youtube.com/watch?v=vid{number:08}",
            "statistics": {"likes": 0, "comments": 0, "views": 0, "shares": 0},
            "id": f"vid{number:08}",
        },
        "hashtags": ["#latte", "#קפה"],
        "publishedTime": "2021-03-01T10:00:00Z",
        "publishedTimeText": "",
        "lengthSeconds": 0,
        "keywords": list(keywords),
        "platform": "YouTube",
        "enhancementStatus": "skipped",
    }


def similar(number: int, word: str = "") -> dict[str, Any]:
    """The same as a channel that resembles the target."""
    return {
        "id": channel_id(number),
        "username": channel_id(number),
        "handle": "",
        "full_name": f"Barista {number}",
        "bio": "",
        "emails": [],
        "socialLinks": [],
        "profile_pic_url": "",
        "profileUrl": f"https://www.youtube.com/channel/{channel_id(number)}",
        "subscriberCount": "",
        "is_verified": False,
        "videos": [
            {
                "id": f"vid{number:08}",
                "title": f"Latte number {number}, with a barista & a cup #latte",
                "url": f"https://www.youtube.com/watch?v=vid{number:08}",
                "views": 0,
                "publishedTime": "2021-03-01T10:00:00Z",
            }
        ],
        "creator": _part(number),
        "searchKeyword": word,
        "platform": "YouTube",
        "searchType": "similar",
        "enhancementStatus": "skipped",
    }


def page(items: Any, number: int) -> Response:
    """One page; the estimate of all results means nothing."""
    told = {"kind": "youtube#searchListResponse", "regionCode": "US", "pageInfo": {"totalResults": 1_000_000}}
    return answer({**told, "nextPageToken": marker(number), "items": items})


def channel(number: int, **changes: Any) -> dict[str, Any]:
    """One channel as ``channels.list`` tells it."""
    return {
        "kind": "youtube#channel",
        "id": channel_id(number),
        "snippet": {
            "title": f"Barista {number}",
            "description": "Espresso recipes. Write to hello@studiocoffee.example",
            "customUrl": f"@barista{number}",
            "publishedAt": "2017-03-08T09:00:00Z",
            "thumbnails": {
                "default": {"url": f"https://yt3.example/{number}=s88-c-rj", "width": 88},
                "high": {"url": f"https://yt3.example/{number}=s800-c-rj", "width": 800},
            },
            "country": "PT",
        },
        "statistics": {
            "viewCount": "22790316",
            "subscriberCount": "42500",
            "hiddenSubscriberCount": False,
            "videoCount": "256",
        },
        "brandingSettings": {"channel": {"keywords": 'espresso "latte art" Barista1'}},
        **changes,
    }


def channels(*listed: dict[str, Any]) -> Response:
    """An answer of ``channels.list``; with none the list is missing."""
    told = {"kind": "youtube#channelListResponse", "pageInfo": {"totalResults": len(listed)}}
    return answer({**told, "items": list(listed)} if listed else told)


_SHAPES = {
    "missing_list": answer({"pageInfo": {"totalResults": 0}}),
    "wrong_page_shape": page({"0": result(1)}, 1),
    "all_items_unreadable": page([{**result(1), "id": "vid00000001"}, {**result(2), "snippet": None}], 1),
    "not_json": Response(200, JSON, b'{"items": [{"id": {"kind": "youtube#vid'),
}
_ODD = (None, 7, "text", [], {}, {"id": {}, "snippet": {}}, {"id": {"kind": "youtube#video"}, "snippet": {}})
_ENDED = answer({"kind": "youtube#searchListResponse", "pageInfo": {"totalResults": 7}})

KEYWORD = Kit(
    platform="youtube",
    kind="keyword",
    provider="youtube_data_api",
    source="search",
    query=Query(
        "youtube", SearchKind.KEYWORD, keywords=(WORD,), region="PT", options={"sort_by": "popular", "type": "shorts"}
    ),
    walk=start_walk("search", WORD, ""),
    first_request=(
        "/youtube/v3/search",
        {
            "part": "snippet",
            "q": WORD,
            "maxResults": "50",
            "regionCode": "PT",
            "type": "video",
            "order": "viewCount",
            "videoDuration": "short",
        },
    ),
    good=page([result(1)], 1),
    rules=RULES,
    answers={**ANSWERS, "ok": page([result(1)], 1)},
    wrong_shapes=_SHAPES,
    item=result,
    page=page,
    cursors=MARKERS,
    creator=lambda number: creator(number, WORD),
    ended=_ENDED,
    empty=page([], 1),
    repeated_cursor=page([result(1)], 1),
    text=("Latte number 1", "video.description"),
    odd_items=_ODD,
    names=("arista", r"ar\u0000ista"),
)

_SIMILAR = Query("youtube", SearchKind.SIMILAR, target_username="StudioCoffee")

TARGET_STEP = StepKit(
    platform="youtube",
    kind="similar",
    provider="youtube_data_api",
    source="target",
    query=_SIMILAR,
    walk=start_walk("target", "StudioCoffee", ""),
    first_request=(
        "/youtube/v3/channels",
        {"part": "snippet,statistics,brandingSettings", "forHandle": "StudioCoffee"},
    ),
    good=channels(channel(1)),
    rules=Target.rules,
    answers={**ANSWERS, "ok": channels(channel(1))},
    wrong_shapes={
        "missing_list": answer({"pageInfo": {"totalResults": 0}}),
        "wrong_profile_shape": channels(channel(1, snippet="x")),
        "not_json": Response(200, JSON, b'{"items": ['),
    },
)

TOPIC = Kit(
    platform="youtube",
    kind="similar",
    provider="youtube_data_api",
    source="topic",
    query=_SIMILAR,
    walk=start_walk("topic", "latte art", TARGET),
    first_request=(
        "/youtube/v3/search",
        {"part": "snippet", "q": "latte art", "maxResults": "50", "regionCode": "US", "type": "video"},
    ),
    good=page([result(1)], 1),
    rules=RULES,
    answers={**ANSWERS, "ok": page([result(1)], 1)},
    wrong_shapes=_SHAPES,
    item=result,
    page=page,
    cursors=(TARGET, *MARKERS[1:]),
    creator=lambda number: similar(number, "latte art"),
    ended=_ENDED,
    empty=page([], 1),
    repeated_cursor=page([result(1)], 1),
    text=("Latte number 1", "videos.0.title"),
    odd_items=_ODD,
    names=("arista", r"ar\u0000ista"),
)

KITS = (KEYWORD, TARGET_STEP, TOPIC)
