"""The shapes of whole TikTok answers of ScrapeCreators: a keyword page, the end of a walk, a profile.

Followed from recorded answers of 2025; the envelope (``success``, ``credits_…``) is added elsewhere.
"""

from typing import Any

from platforms.simulator.dice import Dice
from platforms.simulator.people import Creator


def search_page(items: list[dict[str, Any]], query: str, cursor: int, has_more: bool) -> dict[str, Any]:
    """A keyword page with items; ``cursor`` is the answer's, the one to ask next."""
    return {**_frame(query, cursor), "aweme_list": [], "has_more": int(has_more), "search_item_list": items}


def search_end(query: str, cursor: int) -> dict[str, Any]:
    """What comes after the last item: no ``search_item_list`` at all."""
    nil = {
        "is_load_more": "is_load_more",
        "search_nil_item": "federation_empty",
        "search_nil_type": "",
        "text_type": 10,
    }
    return {**_frame(query, cursor), "aweme_list": None, "has_more": 0, "search_nil_info": nil}


def profile(creator: Creator) -> dict[str, Any]:
    """A profile; an account that is private or gone is told by an answer without ``user``, with HTTP 200."""
    if creator.standing == "private":
        return {"account_private": True, "handle": creator.handle}
    if creator.standing == "gone":
        return {"account_deactivated": True, "handle": creator.handle, "message": "Account doesn't exist"}
    counts = {
        "followerCount": creator.followers,
        "followingCount": creator.following,
        "heart": creator.hearts,
        "heartCount": creator.hearts,
        "videoCount": creator.videos,
        "diggCount": 0,
        "friendCount": creator.following // 10,
    }
    rounded = {name: _rounded(count) for name, count in counts.items()}
    # Recorded: the second of the two heart counters is a signed 32-bit integer that has wrapped.
    if creator.hearts >= 1 << 31:
        rounded["heartCount"] = (creator.hearts + (1 << 31)) % (1 << 32) - (1 << 31)
    return {
        "user": _user(creator),
        "stats": rounded,
        "statsV2": {name: str(count) for name, count in counts.items()},
        "itemList": [],
    }


def _frame(query: str, cursor: int) -> dict[str, Any]:
    dice = Dice("frame", query, cursor)
    log_id = f"20310711{dice.hex(26).upper()}"
    return {
        "backtrace": "",
        "components": None,
        "cursor": cursor,
        "extra": {
            "api_debug_info": None,
            "fatal_item_ids": [],
            "logid": log_id,
            "now": 1_752_000_000_000 + dice.below(10_000_000) * 1000,
            "search_request_id": "",
            "server_stream_time": dice.between(500, 900),
        },
        "feedback_type": "video",
        "global_doodle_config": {"display_filter_bar": 1, "keyword": query, "search_channel": "musically_video"},
        "log_pb": {"impr_id": log_id},
        "status_code": 0,
    }


def _user(creator: Creator) -> dict[str, Any]:
    user: dict[str, Any] = {
        "id": creator.uid,
        "shortId": "",
        "uniqueId": creator.handle,
        "nickname": creator.nickname,
        "avatarLarger": _avatar(creator, 1080),
        "avatarMedium": _avatar(creator, 720),
        "avatarThumb": _avatar(creator, 100),
        "signature": creator.bio,
        "createTime": creator.created_at,
        "verified": any(creator.verification),
        "secUid": creator.sec_uid,
        "ftc": False,
        "relation": 0,
        "openFavorite": False,
        "commentSetting": 0,
        "commerceUserInfo": {"commerceUser": False},
        "privateAccount": creator.private_flag,
        "secret": False,
        "roomId": "",
        "ttSeller": False,
        "region": creator.region,
        "followingVisibility": 1,
        "language": "en",
        "eventList": [],
        "isOrganization": 0,
    }
    if creator.link is not None:
        user["bioLink"] = {"link": creator.link, "risk": 3}
    return user


def _avatar(creator: Creator, size: int) -> str:
    return f"https://p1.cdn.example/{creator.picture}~{size}x{size}.jpeg?x-expires=1893456000&x-signature=0%3D"


def _rounded(count: int) -> int:
    # As the application shows them: 1,738,332 is "1.7M", 47,693 is "47.7K".
    for unit in (10**9, 10**6, 10**4):
        if count >= unit:
            step = max(unit // 10, 100) if unit > 10**4 else 100
            return (count + step // 2) // step * step
    return count
