"""Answers in each provider's shape, written here, for the conformance suite: one `Kit` for each adapter."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from platforms.contract import Query, Response, SearchKind
from platforms.outcome import Rule
from platforms.scrapecreators.outcomes import SEARCH_RULES

JSON = {"content-type": "application/json"}
HTML = {"content-type": "text/html"}
WORD = "studio coffee"


@dataclass(frozen=True)
class Kit:
    """What the suite needs to know about one adapter's answers."""

    query: Query
    item: Callable[[int], dict[str, Any]]
    page: Callable[[list[Any], int], Response]
    creator: Callable[[int], dict[str, Any]]
    ended: Response
    empty: Response
    wrong_shapes: dict[str, Response]
    rules: tuple[Rule, ...]
    answers: dict[str, Response]
    first_request: tuple[str, dict[str, str]]


def answer(value: object, status: int = 200, **headers: str) -> Response:
    """A JSON answer."""
    return Response(status, {**JSON, **headers}, json.dumps(value).encode())


def html(status: int, text: str = "Cannot GET /v1/nothing") -> Response:
    """An HTML page, as an unknown route or a gateway sends."""
    body = f"<!DOCTYPE html>\n<html><head><title>Error</title></head>\n<body>\n<pre>{text}</pre></body></html>"
    return Response(status, HTML, body.encode())


def tiktok_item(number: int) -> dict[str, Any]:
    """One search result, cut down, with some keys that nobody reads."""
    return {
        "type": 1,
        "aweme_info": {
            "aweme_id": f"74000000000000{number:05}",
            "desc": f"Latte number {number} #latte #קפה",
            "share_url": f"https://www.tiktok.com/@barista{number}/video/74000000000000{number:05}?_r=1",
            "video": {"duration": 15_000, "bit_rate": [{"gear_name": "a", "bit_rate": 1}]},
            "statistics": {"play_count": 5000 + number, "digg_count": 400, "comment_count": 30, "share_count": 2},
            "text_extra": [
                {"type": 1, "hashtag_name": "latte", "start": 0},
                {"type": 0, "user_id": "5"},
                {"type": 1, "hashtag_name": "קפה"},
                {"type": 1, "hashtag_name": "latte"},
            ],
            "author": {
                "uid": f"68000000000000{number:05}",
                "unique_id": f"barista{number}",
                "nickname": f"Barista {number}",
                "follower_count": 1200 + number,
                "verification_type": 0,
                "custom_verify": "",
                "enterprise_verify_reason": "",
                "avatar_medium": {
                    "url_list": [
                        f"https://p16.example/{number}~720.heic?x=1.jpeg",
                        f"https://p19.example/{number}~720.heic?x=1",
                        f"https://p16.example/{number}~720.jpeg?x=1",
                    ]
                },
            },
        },
    }


def tiktok_creator(number: int) -> dict[str, Any]:
    """What `tiktok_item` is stored as, without its provenance, when no profile was looked up."""
    avatar = f"https://p16.example/{number}~720.jpeg?x=1"
    return {
        "creator": {
            "name": f"Barista {number}",
            "uniqueId": f"barista{number}",
            "followers": 1200 + number,
            "avatarUrl": avatar,
            "profilePicUrl": avatar,
            "bio": "",
            "emails": [],
            "verified": False,
            "id": f"68000000000000{number:05}",
        },
        "video": {
            "description": f"Latte number {number} #latte #קפה",
            "url": f"https://www.tiktok.com/@barista{number}/video/74000000000000{number:05}?_r=1",
            "statistics": {"likes": 400, "comments": 30, "views": 5000 + number, "shares": 2},
            "id": f"74000000000000{number:05}",
        },
        "hashtags": ["#latte", "#קפה"],
        "platform": "TikTok",
        "enhancementStatus": "skipped",
    }


def tiktok_page(items: list[Any], cursor: int) -> Response:
    """One page; ``has_more`` is 0, as it may be while items follow."""
    return answer({"cursor": cursor, "has_more": 0, "status_code": 0, "aweme_list": [], "search_item_list": items})


_NIL = {"search_nil_item": "federation_empty", "is_load_more": "is_load_more", "text_type": 10}

TIKTOK_KEYWORD = Kit(
    query=Query("tiktok", SearchKind.KEYWORD, keywords=(WORD,), options={"sort_by": "most-liked", "other": "x"}),
    item=tiktok_item,
    page=tiktok_page,
    creator=tiktok_creator,
    ended=answer({"cursor": 120, "has_more": 0, "aweme_list": None, "search_nil_info": _NIL}),
    empty=answer({"cursor": 60, "has_more": 1, "search_item_list": []}),
    wrong_shapes={
        "missing_list": answer({"cursor": 30, "has_more": 1}),
        "success_false": answer({"success": False, "message": "Something broke"}),
        "wrong_page_shape": answer({"cursor": 30, "search_item_list": {"0": tiktok_item(1)}}),
        "all_items_unreadable": tiktok_page([tiktok_item(1)["aweme_info"], tiktok_item(2)["aweme_info"]], 30),
        "not_json": Response(200, JSON, b'{"cursor": 30, "search_item_list": [{"aweme_info": {"aweme_id": "7'),
    },
    rules=SEARCH_RULES,
    answers={
        "ok": tiktok_page([tiktok_item(1)], 30),
        "not_json_with_2xx": html(200, "Just a moment"),
        "redirect": Response(302, {"location": "https://elsewhere.example/"}, b""),
        "bad_request": answer({"success": False, "error": "missing_parameter", "message": "provide a query"}, 400),
        "bad_key": answer({"success": False, "message": "Invalid key"}, 401),
        "out_of_credits": answer({"success": False, "message": "Looks like you're out of credits :( "}, 402),
        "gateway_refusal": html(403, "Access denied"),
        "search_refused": answer({"success": False, "error": "forbidden", "message": "not allowed"}, 403),
        "unknown_route": html(404),
        "not_found": answer({"success": True, "error": "not_found", "message": "Account doesn't exist"}, 404),
        "request_timeout": answer({"message": "took too long"}, 408),
        "daily_limit": answer({"message": "Daily limit reached"}, 429),
        "rate_limited": answer({"message": "Too many requests"}, 429),
        "no_key": answer({"success": False, "message": "apiKey is required"}, 500),
        "server_error": html(503, "Service unavailable"),
        "client_error": answer({"message": "teapot"}, 418),
    },
    first_request=(
        "/v1/tiktok/search/keyword",
        {"query": WORD, "cursor": "0", "region": "US", "sort_by": "most-liked"},
    ),
)

KITS = {("tiktok", SearchKind.KEYWORD, "scrapecreators"): TIKTOK_KEYWORD}
