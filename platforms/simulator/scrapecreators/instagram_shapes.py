"""Instagram accounts and posts as ScrapeCreators shows them. Pictures are signed links of a reserved host."""

from datetime import UTC, datetime
from typing import Any

from platforms.simulator.dice import Dice
from platforms.simulator.people import Creator, number_of
from platforms.simulator.truth import instagram_id
from platforms.simulator.videos import Video

_CATEGORIES = ("Digital creator", "Kitchen/Cooking", "Entrepreneur", None)


def iso(seconds: int) -> str:
    """A moment as the answers write it."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.000Z"


def picture(creator: Creator, size: int = 150) -> str:
    """The link of an avatar; ``oe`` is when it ends, in hexadecimal seconds."""
    return f"https://scontent.cdn.example/v/{creator.picture}.jpg?stp=dst-jpg_s{size}x{size}&oh=00&oe=70DBD880"


def related(creator: Creator) -> dict[str, Any]:
    """One related profile: no counts and no bio."""
    return {
        "id": instagram_id(number_of(creator.uid)),
        "full_name": creator.nickname,
        "is_private": creator.standing == "private",
        "is_verified": any(creator.verification),
        "profile_pic_url": picture(creator),
        "username": creator.handle,
    }


def account(creator: Creator) -> dict[str, Any]:
    """``data.user`` of a profile, without its posts and related profiles."""
    dice = Dice("instagram", creator.uid)
    business = dice.percent(50)
    link = creator.link if creator.link and creator.link.startswith("http") else None
    return {
        "id": instagram_id(number_of(creator.uid)),
        "username": creator.handle,
        "full_name": creator.nickname,
        "biography": creator.bio,
        "bio_links": bio_links(link),
        "external_url": link,
        "edge_followed_by": {"count": creator.followers},
        "edge_follow": {"count": creator.following},
        "is_private": creator.standing == "private",
        "is_verified": any(creator.verification),
        "is_business_account": business,
        "is_professional_account": business or dice.percent(20),
        # Recorded: null even for most businesses.
        "business_email": f"{creator.handle}@office.example" if business and dice.percent(10) else None,
        "business_phone_number": None,
        "business_category_name": "None" if business else None,
        "category_name": dice.pick(_CATEGORIES),
        "profile_pic_url": picture(creator),
        "profile_pic_url_hd": picture(creator, 320),
        "highlight_reel_count": dice.below(20),
        "pronouns": [],
    }


def bio_links(link: str | None) -> list[dict[str, Any]]:
    """The links of a bio, at most one here."""
    if link is None:
        return []
    return [{"title": "", "lynx_url": f"https://l.instagram.example/?u={link}", "url": link, "link_type": "external"}]


def timeline(video: Video) -> dict[str, Any]:
    """One recent post of a profile."""
    return {
        "__typename": "GraphVideo",
        "id": video.id,
        "shortcode": shortcode(video),
        "is_video": True,
        "taken_at_timestamp": video.created_at,
        "edge_media_to_caption": {"edges": [{"node": {"text": caption(video)}}]},
        "edge_media_to_comment": {"count": video.comments},
        "edge_liked_by": {"count": video.likes},
        "video_view_count": video.plays,
    }


def reel(video: Video) -> dict[str, Any]:
    """One element of ``reels`` or ``posts``; no view counts, as in the answers of version 2."""
    creator, code = video.author, shortcode(video)
    return {
        "id": video.id,
        "__typename": "XDTGraphVideo",
        "shortcode": code,
        "url": f"https://www.instagram.example/reel/{code}/",
        "caption": caption(video),
        "thumbnail_src": f"https://scontent.cdn.example/{video.picture}.jpg?oe=70DBD880",
        "display_url": f"https://scontent.cdn.example/{video.picture}.jpg?oe=70DBD880",
        "video_url": f"https://scontent.cdn.example/{video.picture}.mp4?oe=70DBD880",
        "product_type": "clips",
        "video_duration": video.duration_ms / 1000,
        "is_video": True,
        "owner": {
            **related(creator),
            "is_unpublished": False,
            "follower_count": creator.followers,
            "post_count": creator.videos,
        },
        "taken_at": iso(video.created_at),
        "is_ad": False,
        "like_count": video.likes,
        "is_paid_partnership": False,
        "location": None,
        "comment_count": video.comments,
        "comments": [],
    }


def found_profile(creator: Creator, dice: Dice) -> dict[str, Any]:
    """One element of ``profiles``: everything a profile has but its posts."""
    whole = account(creator)
    kept = ("id", "username", "full_name", "biography", "bio_links", "external_url", "is_private", "is_verified")
    more = ("is_business_account", "is_professional_account", "category_name", "profile_pic_url")
    return {
        **{key: whole[key] for key in kept + more},
        "follower_count": creator.followers,
        "following_count": creator.following,
        "media_count": creator.videos,
        "url": f"https://www.instagram.example/{creator.handle}/",
        "matched_from": dice.pick(("profile", "caption")),
    }


def caption(video: Video) -> str:
    """Text and hashtags."""
    return " ".join([video.text, *(f"#{tag}" for tag in video.hashtags)]).strip()


def shortcode(video: Video) -> str:
    """The code in a post's link."""
    return "D" + Dice("shortcode", video.id).hex(10)
