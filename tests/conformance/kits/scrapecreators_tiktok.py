"""TikTok by ScrapeCreators."""

from typing import Any

from platforms.contract import Query, SearchKind
from platforms.pages import Response, start_walk
from platforms.scrapecreators.outcomes import SEARCH_RULES
from tests.conformance.kit import JSON, Kit, answer
from tests.conformance.kits.scrapecreators_answers import SEARCH_ANSWERS

WORD = "studio coffee"


def tiktok_item(number: int) -> dict[str, Any]:
    """One search result, cut down, with some keys that nobody reads."""
    return {
        "type": 1,
        "aweme_info": {
            "aweme_id": f"74000000000000{number:05}",
            "desc": f"Latte number {number} #latte #קפה",
            "share_url": f"https://www.tiktok.com/@barista{number}/video/74000000000000{number:05}?_r=1",
            "create_time": 1_767_323_045,
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
        "publishedTime": "2026-01-02T03:04:05Z",
        "country": "",
    }


def tiktok_page(items: list[Any], number: int) -> Response:
    """One page; ``has_more`` is 0, as it may be while items follow."""
    return answer({"cursor": 30 * number, "has_more": 0, "status_code": 0, "aweme_list": [], "search_item_list": items})


_NIL = {"search_nil_item": "federation_empty", "is_load_more": "is_load_more", "text_type": 10}

KEYWORD = Kit(
    platform="tiktok",
    kind="keyword",
    provider="scrapecreators",
    source="search",
    query=Query("tiktok", SearchKind.KEYWORD, keywords=(WORD,), options={"sort_by": "most-liked", "other": "x"}),
    walk=start_walk("search", WORD, 0),
    first_request=(
        "/v1/tiktok/search/keyword",
        {"query": WORD, "cursor": "0", "region": "US", "sort_by": "most-liked"},
    ),
    good=tiktok_page([tiktok_item(1)], 1),
    rules=SEARCH_RULES,
    answers={**SEARCH_ANSWERS, "ok": tiktok_page([tiktok_item(1)], 1)},
    wrong_shapes={
        "missing_list": answer({"cursor": 30, "has_more": 1}),
        "success_false": answer({"success": False, "message": "Something broke"}),
        "wrong_page_shape": answer({"cursor": 30, "search_item_list": {"0": tiktok_item(1)}}),
        "all_items_unreadable": tiktok_page([tiktok_item(1)["aweme_info"], tiktok_item(2)["aweme_info"]], 1),
        "not_json": Response(200, JSON, b'{"cursor": 30, "search_item_list": [{"aweme_info": {"aweme_id": "7'),
    },
    item=tiktok_item,
    page=tiktok_page,
    cursors=(0, 30, 60),
    creator=tiktok_creator,
    ended=answer({"cursor": 120, "has_more": 0, "aweme_list": None, "search_nil_info": _NIL}),
    empty=answer({"cursor": 30, "has_more": 1, "search_item_list": []}),
    repeated_cursor=tiktok_page([tiktok_item(1)], 1),
    text=("Latte number 1", "video.description"),
    odd_items=(None, 7, "text", [], {}, {"aweme_info": None}),
    names=("arista", r"ar\u0000ista"),
)


def hashtag_page(items: list[Any], number: int) -> Response:
    """One page; ``has_more`` is 0, as it may be while items follow."""
    return answer({"cursor": 20 * number, "has_more": 0, "status_code": 0, "aweme_list": items})


def aweme(number: int) -> dict[str, Any]:
    """One video as a hashtag search lists it."""
    found: dict[str, Any] = tiktok_item(number)["aweme_info"]
    return found


HASHTAG = Kit(
    platform="tiktok",
    kind="keyword",
    provider="scrapecreators",
    source="hashtag",
    query=Query("tiktok", SearchKind.KEYWORD, keywords=("#latteart",), region="DE"),
    walk=start_walk("hashtag", "latteart", 0),
    first_request=("/v1/tiktok/search/hashtag", {"hashtag": "latteart", "cursor": "0", "region": "DE"}),
    good=hashtag_page([aweme(1)], 1),
    rules=SEARCH_RULES,
    answers={**SEARCH_ANSWERS, "ok": hashtag_page([aweme(1)], 1)},
    wrong_shapes={
        "missing_list": answer({"cursor": 20, "has_more": 0}),
        "success_false": answer({"success": False, "message": "Something broke"}),
        "wrong_page_shape": answer({"cursor": 20, "aweme_list": {"0": aweme(1)}}),
        "all_items_unreadable": hashtag_page([tiktok_item(1), tiktok_item(2)], 1),
        "not_json": Response(200, JSON, b'{"cursor": 20, "aweme_list": [{"aweme_id": "7'),
    },
    item=aweme,
    page=hashtag_page,
    cursors=(0, 20, 40),
    creator=tiktok_creator,
    ended=answer({"cursor": 40, "has_more": 0, "aweme_list": []}),
    empty=answer({"cursor": 20, "has_more": 1, "aweme_list": []}),
    repeated_cursor=hashtag_page([aweme(1)], 1),
    text=("Latte number 1", "video.description"),
    odd_items=(None, 7, "text", [], {}, {"aweme_info": {}}),
    names=("arista", r"ar\u0000ista"),
)

KITS = (KEYWORD, HASHTAG)
