"""TikTok accounts as the user search and the followings list show them."""

from typing import Any

from platforms.simulator.dice import Dice
from platforms.simulator.people import Creator
from platforms.simulator.tiktok_items import avatar


def found_user(creator: Creator, dice: Dice) -> dict[str, Any]:
    """One element of ``users``: no bio, and a ``verification_type`` that is 1 for those who are not verified."""
    custom_verify, enterprise_verify_reason = creator.verification
    return {
        "challenges": None,
        "effects": None,
        "items": None,
        "position": None,
        "user_info": {
            **_common(creator),
            "custom_verify": custom_verify,
            "enterprise_verify_reason": enterprise_verify_reason,
            "is_private_account": int(creator.standing == "private"),
            # Recorded: in 97 of 100 it is only the name again.
            "search_user_desc": creator.nickname if dice.percent(97) else f"Instagram: {creator.handle}",
            "search_user_name": creator.handle,
            "total_favorited": creator.hearts,
            "verification_type": 0 if any(creator.verification) else 1,
        },
    }


def followed_user(creator: Creator) -> dict[str, Any]:
    """One element of ``followings``: flat, and with the bio."""
    custom_verify, enterprise_verify_reason = creator.verification
    return {
        **_common(creator),
        "create_time": creator.created_at,
        "custom_verify": custom_verify,
        "enterprise_verify_reason": enterprise_verify_reason,
        "language": "en",
        "region": creator.region,
        "signature": creator.bio,
        "total_favorited": creator.hearts,
        "verification_type": 0 if any(creator.verification) else 1,
    }


def _common(creator: Creator) -> dict[str, Any]:
    return {
        "avatar_larger": avatar(creator, 1080),
        "avatar_medium": avatar(creator, 720),
        "avatar_thumb": avatar(creator, 100),
        "aweme_count": creator.videos,
        "follow_status": 0,
        "follower_count": creator.followers,
        "following_count": creator.following,
        "nickname": creator.nickname,
        "sec_uid": creator.sec_uid,
        "secret": int(creator.standing == "private"),
        "status": 1,
        "uid": creator.uid,
        "unique_id": creator.handle,
    }
