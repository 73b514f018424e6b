"""TikTok accounts like another one, by ScrapeCreators: the target, user searches, followings."""

import json
from typing import Any

from platforms.contract import Query, SearchKind
from platforms.pages import Response, start_walk
from platforms.scrapecreators.outcomes import SEARCH_RULES, TARGET_RULES
from platforms.scrapecreators.tiktok.target import TARGET_STEP_RULES
from tests.conformance.kit import JSON, Kit, StepKit, answer
from tests.conformance.kits.scrapecreators_answers import SEARCH_ANSWERS, TARGET_ANSWERS

QUERY = Query("tiktok", SearchKind.SIMILAR, target_username="crema.daily")
UID = "6800000000000000000"
WORDS = ["coffee", "latte"]


def cursor(at: int) -> str:
    """The cursor of a walk that knows the target."""
    trail = {"at": at, "uid": UID, "followers": 5000, "words": WORDS}
    return json.dumps(trail, separators=(",", ":"))


def account(number: int) -> dict[str, Any]:
    """One account, cut down, with some keys that nobody reads. Higher numbers are no more like the target."""
    return {
        "uid": f"69000000000000{number:05}",
        "unique_id": f"roaster{number}",
        "nickname": f"Roaster {number}",
        "follower_count": 900,
        "following_count": 80,
        "aweme_count": 41,
        "total_favorited": 12_345_678_901,
        "verification_type": 1,
        "custom_verify": "",
        "enterprise_verify_reason": "",
        "is_private_account": 0,
        "secret": 0,
        "avatar_medium": {"url_list": [f"https://p16.example/{number}.heic?x=1", f"https://p16.example/{number}.jpeg"]},
    }


def following(number: int) -> dict[str, Any]:
    """One account as a list of followings tells it: with its bio and region, and nothing on privacy."""
    told = account(number) | {
        "signature": "Beans.\nMail me@roast.example",
        "region": "pt",
        "create_time": 1_600_000_000,
    }
    del told["is_private_account"]
    return told


def hit(number: int) -> dict[str, Any]:
    """One entry of a user search."""
    return {"challenges": None, "position": None, "user_info": account(number)}


def stored(number: int, word: str = "", target: str = "@crema.daily", **changes: Any) -> dict[str, Any]:
    """What an account is stored as, without its provenance, when no profile was looked up."""
    avatar = f"https://p16.example/{number}.jpeg"
    bio: str = changes.get("bio", "")
    mails: list[str] = changes.get("emails", [])
    return {
        "creator": {
            "name": f"Roaster {number}",
            "uniqueId": f"roaster{number}",
            "followers": 900,
            "avatarUrl": avatar,
            "profilePicUrl": avatar,
            "bio": bio,
            "emails": mails,
            "verified": False,
            "id": f"69000000000000{number:05}",
        },
        "id": f"69000000000000{number:05}",
        "username": f"roaster{number}",
        "full_name": f"Roaster {number}",
        "is_private": False,
        "is_verified": False,
        "profile_pic_url": avatar,
        "followerCount": 900,
        "followingCount": 80,
        "videoCount": 41,
        "totalLikes": 12_345_678_901,
        "bio": bio,
        "emails": mails,
        "profileUrl": f"https://www.tiktok.com/@roaster{number}",
        "searchKeyword": word,
        "platform": "TikTok",
        "searchType": "similar",
        "targetUsername": target,
        "enhancementStatus": "skipped",
        "country": changes.get("country", ""),
    }


def stored_following(number: int, target: str = "@crema.daily") -> dict[str, Any]:
    """What a following is stored as."""
    return stored(number, target=target, bio="Beans.\nMail me@roast.example", emails=["me@roast.example"], country="PT")


PROFILE = {
    "user": {
        "id": UID,
        "uniqueId": "crema.daily",
        "nickname": "Crema Daily ☕️",
        "signature": "Home barista. #latte art\nwork: hi@crema.example",
        "privateAccount": False,
    },
    "stats": {"followerCount": 5000},
    "statsV2": {"followerCount": "5003"},
}

TARGET = StepKit(
    platform="tiktok",
    kind="similar",
    provider="scrapecreators",
    source="target",
    query=QUERY,
    walk=start_walk("target", "crema.daily", 0),
    first_request=("/v1/tiktok/profile", {"handle": "crema.daily"}),
    good=answer(PROFILE),
    rules=TARGET_STEP_RULES,
    answers={
        **TARGET_ANSWERS,
        "ok": answer(PROFILE),
        "target_private": answer({"account_private": True, "handle": "crema.daily"}),
        "target_missing": answer({"account_deactivated": True, "handle": "crema.daily", "message": "deactivated"}),
    },
    wrong_shapes={
        "missing_user": answer({"success": True, "stats": {}}),
        "wrong_profile_shape": answer({"user": []}),
        "not_json": Response(200, JSON, b'{"user": {"id": "68'),
    },
)


def users_page(items: list[Any], number: int) -> Response:
    """One page of a user search; it has no ``has_more``."""
    return answer({"cursor": 30 * number, "users": items})


USERS = Kit(
    platform="tiktok",
    kind="similar",
    provider="scrapecreators",
    source="users",
    query=QUERY,
    walk=start_walk("users", "latte", cursor(0)),
    first_request=("/v1/tiktok/search/users", {"query": "latte", "cursor": "0"}),
    good=users_page([hit(1)], 1),
    rules=SEARCH_RULES,
    answers={**SEARCH_ANSWERS, "ok": users_page([hit(1)], 1)},
    wrong_shapes={
        "missing_list": answer({"cursor": 30}),
        "success_false": answer({"success": False, "message": "Something broke"}),
        "wrong_page_shape": answer({"cursor": 30, "users": {"0": hit(1)}}),
        "all_items_unreadable": users_page([account(1), account(2)], 1),
        "not_json": Response(200, JSON, b'{"cursor": 30, "users": [{"user_info": {"uid": "6'),
    },
    item=hit,
    page=users_page,
    cursors=(cursor(0), cursor(30), cursor(60)),
    creator=lambda number: stored(number, "latte"),
    ended=answer({"cursor": 90, "users": []}),
    empty=answer({"cursor": 30, "users": []}),
    empty_ends=True,
    repeated_cursor=users_page([hit(1)], 1),
    text=("Roaster 1", "full_name"),
    odd_items=(None, 7, "text", [], {}, {"user_info": None}, {"user_info": {"uid": ""}}),
    names=("oaster", r"oa\u0000ster"),
)


def followings_page(items: list[Any], number: int) -> Response:
    """One page of followings; ``min_time`` goes back in time. ``total`` is no number of pages."""
    return answer({"followings": items, "min_time": 1_700_000_000 - number, "total": 74})


FOLLOWINGS = Kit(
    platform="tiktok",
    kind="similar",
    provider="scrapecreators",
    source="followings",
    query=QUERY,
    walk=start_walk("followings", "crema.daily", cursor(0)),
    first_request=("/v1/tiktok/user/following", {"handle": "crema.daily"}),
    good=followings_page([following(1)], 1),
    rules=TARGET_RULES,
    answers={**TARGET_ANSWERS, "ok": followings_page([following(1)], 1)},
    wrong_shapes={
        "missing_list": answer({"total": 74}),
        "success_false": answer({"success": False, "message": "Something broke"}),
        "wrong_page_shape": answer({"followings": {"0": following(1)}}),
        "all_items_unreadable": followings_page([hit(1), hit(2)], 1),
        "not_json": Response(200, JSON, b'{"followings": [{"uid": "6'),
    },
    item=following,
    page=followings_page,
    cursors=(cursor(0), cursor(1_699_999_999), cursor(1_699_999_998)),
    creator=stored_following,
    ended=answer({"followings": [], "min_time": 0, "total": 74}),
    empty=answer({"followings": []}),
    empty_ends=True,
    text=("Roaster 1", "full_name"),
    odd_items=(None, 7, "text", [], {}, {"uid": 0}),
    names=("oaster", r"oa\u0000ster"),
)

KITS = (TARGET, USERS, FOLLOWINGS)
