"""TikTok by its own Research API."""

import json
from typing import Any

from platforms.contract import Query, SearchKind
from platforms.filters import Filters
from platforms.pages import Response, start_walk
from platforms.tiktok_research.outcomes import RULES
from tests.conformance.kit import JSON, Kit, answer, html

LOG_ID = "202607280326050102231031430C7E754E"
FIELDS = (
    "id,username,video_description,hashtag_names,create_time,region_code,"
    "view_count,like_count,comment_count,share_count"
)


def cursor(at: int, search_id: str = "", last: str = "20260301", oldest: str = "20260210", empty: int = 0) -> str:
    """The cursor of a walk: a window of 20 days, which is the last one."""
    place = {"last": last, "oldest": oldest, "cursor": at, "search_id": search_id, "empty": empty}
    return json.dumps(place, separators=(",", ":"))


def failure(status: int, code: str, message: str = "It failed.") -> Response:
    """An answer as the API tells an error."""
    return answer({"data": {}, "error": {"code": code, "message": message, "log_id": LOG_ID}}, status)


ANSWERS = {
    "bad_client": answer({"error": "invalid_client", "error_description": "Client key or secret is incorrect."}),
    "scope": failure(401, "scope_not_authorized"),
    "failed_for_now": failure(500, "internal_error"),
    "not_json_with_2xx": html(200, "Just a moment"),
    "redirect": Response(302, {"location": "https://elsewhere.example/"}, b""),
    "place_lost": failure(400, "invalid_params", "Search Id 7201388525814961198 is invalid or expired"),
    "bad_request": failure(400, "invalid_params", "Invalid query"),
    "no_such_user": failure(400, "invalid_params", "cannot find the user"),
    "bad_token": failure(401, "access_token_invalid"),
    "gateway_refusal": html(403, "Access denied"),
    "forbidden": failure(403, "forbidden"),
    "unknown_route": html(404),
    "request_timeout": html(408),
    "daily_quota": failure(429, "daily_quota_limit_exceeded"),
    "rate_limited": failure(429, "rate_limit_exceeded"),
    "server_error": html(503, "Service unavailable"),
    "client_error": failure(418, "teapot"),
}


def video(number: int) -> dict[str, Any]:
    """One video; ids are 64-bit numbers in its JSON."""
    return {
        "id": 7_400_000_000_000_000_000 + number,
        "username": f"barista{number}",
        "video_description": f"Latte number {number} #latte #קפה",
        "create_time": 1_767_323_045,
        "region_code": "PT",
        "view_count": 5000 + number,
        "like_count": 400,
        "comment_count": 30,
        "share_count": 2,
        "hashtag_names": ["latte", "קפה", "latte"],
        "effect_ids": ["0"],
    }


def stored(number: int) -> dict[str, Any]:
    """What a video is stored as, without its provenance, when no account was looked up."""
    return {
        "creator": {
            "name": f"barista{number}",
            "uniqueId": f"barista{number}",
            "followers": 0,
            "avatarUrl": "",
            "profilePicUrl": "",
            "bio": "",
            "emails": [],
            "verified": False,
            "id": "",
        },
        "video": {
            "description": f"Latte number {number} #latte #קפה",
            "url": f"https://www.tiktok.com/@barista{number}/video/{7_400_000_000_000_000_000 + number}",
            "statistics": {"likes": 400, "comments": 30, "views": 5000 + number, "shares": 2},
            "id": str(7_400_000_000_000_000_000 + number),
        },
        "hashtags": ["#latte", "#קפה"],
        "platform": "TikTok",
        "enhancementStatus": "skipped",
        "publishedTime": "2026-01-02T03:04:05Z",
        "country": "PT",
    }


def page(items: list[Any], number: int, *, has_more: bool = True) -> Response:
    """One page of a window."""
    data = {"videos": items, "cursor": 100 * number, "has_more": has_more, "search_id": "77"}
    return answer({"data": data, "error": {"code": "ok", "message": "", "log_id": LOG_ID}})


def _kit(source: str, word: str, query: Query, conditions: dict[str, Any]) -> Kit:
    return Kit(
        platform="tiktok",
        kind="keyword",
        provider="tiktok_research",
        source=source,
        query=query,
        walk=start_walk(source, word, cursor(0)),
        first_request=("/v2/research/video/query/", {"fields": FIELDS}),
        first_body={
            "query": conditions,
            "start_date": "20260210",
            "end_date": "20260301",
            "max_count": 100,
            "cursor": 0,
        },
        good=page([video(1)], 1),
        rules=RULES,
        answers={**ANSWERS, "ok": page([video(1)], 1)},
        wrong_shapes={
            "missing_list": answer({"data": {"cursor": 100, "has_more": True}, "error": {"code": "ok"}}),
            "wrong_page_shape": answer({"data": {"videos": {"0": video(1)}}}),
            "all_items_unreadable": page([{"id": 7}, {"username": "a"}], 1),
            "not_json": Response(200, JSON, b'{"data": {"videos": [{"id": 7'),
        },
        item=video,
        page=lambda items, number: page(items, number),
        cursors=(cursor(0), cursor(100, "77"), cursor(200, "77")),
        creator=stored,
        ended=page([], 3, has_more=False),
        empty=page([], 1),
        repeated_cursor=page([video(1)], 1),
        text=("Latte number 1", "video.description"),
        odd_items=(None, 7, "text", [], {}, {"id": 5, "username": "@"}, {"id": 0, "username": "a"}),
        names=("arista", r"ar\u0000ista"),
    )


def _condition(field_name: str, operation: str, *values: str) -> dict[str, Any]:
    return {"operation": operation, "field_name": field_name, "field_values": list(values)}


VIDEOS = _kit(
    "videos",
    "studio coffee",
    Query(
        "tiktok",
        SearchKind.KEYWORD,
        keywords=("studio coffee",),
        filters=Filters(countries=("PT", "ES")),
        options={"sort_by": "most-liked"},
    ),
    {
        "or": [_condition("keyword", "EQ", "studio coffee"), _condition("hashtag_name", "EQ", "studiocoffee")],
        "and": [_condition("region_code", "IN", "PT", "ES")],
    },
)
HASHTAG = _kit(
    "hashtag",
    "latteart",
    Query("tiktok", SearchKind.KEYWORD, keywords=("#latteart",)),
    {"and": [_condition("hashtag_name", "EQ", "latteart")]},
)

KITS = (VIDEOS, HASHTAG)
