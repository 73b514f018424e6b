"""The shape of one item of a TikTok keyword page, as ScrapeCreators gives it untrimmed.

Keys and types follow recorded answers; what no reader needs is left out, and `padding` adds the bulk of it back.
Links go to reserved hosts.
"""

from datetime import UTC, datetime
from typing import Any

from platforms.simulator.people import Creator
from platforms.simulator.videos import Video

_EXPIRES = 1_893_456_000

_AUTHOR_CONSTANTS: dict[str, Any] = {
    "account_labels": None,
    "aweme_count": 0,
    "follow_status": 0,
    "secret": 0,
    "short_id": "0",
    "status": 1,
    "total_favorited": 0,
    "user_canceled": False,
    "verification_type": 0,
    "verify_info": "",
}


def item_of(video: Video) -> dict[str, Any]:
    """One element of ``search_item_list``."""
    path = f"https://www.tiktok.example/@{video.author.handle}/video/{video.id}"
    share_url = f"{path}?_r=1&u_code=0&share_item_id={video.id}"
    desc, text_extra = _text_of(video)
    moment = datetime.fromtimestamp(video.created_at, UTC)
    return {
        "aweme_info": {
            "author": _author_of(video.author),
            # The provider's JavaScript has rounded this id to a multiple of about a thousand; ``author.uid`` is exact.
            "author_user_id": int(video.author.uid) // 1000 * 1000,
            "aweme_id": video.id,
            "aweme_type": video.kind,
            "collect_stat": 0,
            "create_time": video.created_at,
            "desc": desc,
            "desc_language": "en",
            "group_id": video.id,
            "is_ads": False,
            "is_top": 0,
            "position": None,
            "region": video.author.region,
            "share_info": {
                "share_desc": f"Check out {video.author.nickname}'s video! #TikTok",
                "share_url": share_url,
            },
            "share_url": share_url,
            "statistics": {
                "aweme_id": video.id,
                "collect_count": video.saves,
                "comment_count": video.comments,
                "digg_count": video.likes,
                "download_count": 0,
                "forward_count": 0,
                "play_count": video.plays,
                "share_count": video.shares,
            },
            "text_extra": text_extra,
            "user_digged": 0,
            "video": {
                "cover": {"height": 720, "uri": video.picture, "url_list": _cover_urls(video.picture), "width": 720},
                "duration": video.duration_ms,
                "has_watermark": True,
                "height": 1024,
                "ratio": "540p",
                "width": 576,
            },
            "video_labels": [],
            "create_time_utc": f"{moment:%Y-%m-%dT%H:%M:%S}.000Z",
            "url": path,
        }
    }


def _author_of(creator: Creator) -> dict[str, Any]:
    custom_verify, enterprise_verify_reason = creator.verification
    return {
        **_AUTHOR_CONSTANTS,
        "avatar_larger": avatar(creator, 1080),
        "avatar_medium": avatar(creator, 720),
        "avatar_thumb": avatar(creator, 100),
        "avatar_uri": creator.picture,
        "custom_verify": custom_verify,
        "enterprise_verify_reason": enterprise_verify_reason,
        "follower_count": creator.followers,
        "following_count": creator.following,
        "nickname": creator.nickname,
        "search_user_desc": creator.handle,
        "search_user_name": creator.nickname,
        "sec_uid": creator.sec_uid,
        "uid": creator.uid,
        "unique_id": creator.handle,
    }


def avatar(creator: Creator, size: int) -> dict[str, Any]:
    """A picture in one size: three links to it, the last of them JPEG."""
    # The recorded order: two links in a format few can read, then the same picture as JPEG.
    stem, tail = (
        f"{creator.picture}~{size}x{size}.",
        f"?x-expires={_EXPIRES}&x-signature={creator.picture[-8:]}%3D",
    )
    links = ((1, creator.picture_format), (2, creator.picture_format), (1, "jpeg"))
    return {
        "height": 720,
        "uri": creator.picture,
        "url_list": [f"https://p{host}.cdn.example/{stem}{suffix}{tail}" for host, suffix in links],
        "url_prefix": None,
        "width": 720,
    }


def _cover_urls(picture: str) -> list[str]:
    tail = f"~500x800.jpeg?x-expires={_EXPIRES}&x-signature={picture[-8:]}%3D"
    return [f"https://p{host}.cdn.example/{picture}{tail}" for host in (1, 2)]


def _text_of(video: Video) -> tuple[str, list[dict[str, Any]] | None]:
    desc = video.text
    extra: list[dict[str, Any]] = []
    for tag in video.hashtags:
        start = len(desc) + 1
        desc += f" #{tag}"
        extra.append(
            {
                "end": len(desc),
                "hashtag_id": str(sum(map(ord, tag)) * 7919),
                "hashtag_name": tag,
                "is_commerce": False,
                "sec_uid": "",
                "start": start,
                "tag_id": str(len(extra)),
                "type": 1,
                "user_id": "",
            }
        )
    if video.mention:
        start = len(desc) + 1
        desc += f" @{video.author.handle}"
        extra.append(
            {"end": len(desc), "sec_uid": video.author.sec_uid, "start": start, "type": 0, "user_id": video.mention}
        )
    if video.other_extra:
        extra.append({"end": len(desc), "start": len(desc), "sub_type": 0, "type": 5})
    return desc, extra or None
