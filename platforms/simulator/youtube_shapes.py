"""Results, channels, videos and errors as the YouTube Data API writes them."""

from datetime import UTC, datetime
from html import escape
from typing import Any

from platforms.simulator.channels import channel_id
from platforms.simulator.dice import Dice
from platforms.simulator.people import Creator, number_of
from platforms.simulator.videos import Video

_SIZES = {"default": 88, "medium": 240, "high": 800}


def error_body(status: int, reason: str, domain: str, message: str) -> dict[str, Any]:
    """An error in the older form, which most answers still have."""
    errors = [{"message": message, "domain": domain, "reason": reason}]
    return {"error": {"code": status, "message": message, "errors": errors}}


def video_result(video: Video) -> dict[str, Any]:
    """A video in a search: no counts, texts with HTML entities; in some the pictures are missing."""
    dice = Dice("result", video.id)
    snippet: dict[str, Any] = {
        "publishedAt": _iso(video.created_at),
        "channelId": channel_id(number_of(video.author.uid)),
        "title": escape(" ".join([video.text or "untitled", *(f"#{tag}" for tag in video.hashtags)])),
        "description": escape(f"{video.text[:40]} ..."),
        "channelTitle": escape(video.author.nickname),
        "liveBroadcastContent": "live" if dice.percent(3) else "none",
        "publishTime": _iso(video.created_at),
    }
    if not dice.percent(3):
        snippet["thumbnails"] = _pictures(f"vi/{video.id}/default.jpg")
    identity = {"kind": "youtube#video", "videoId": video.id}
    return {"kind": "youtube#searchResult", "etag": dice.hex(27), "id": identity, "snippet": snippet}


def channel_result(creator: Creator) -> dict[str, Any]:
    """A channel in a search."""
    told = channel_id(number_of(creator.uid))
    snippet = {
        "publishedAt": _iso(creator.created_at),
        "channelId": told,
        "title": escape(creator.nickname),
        "description": escape(creator.bio),
        "thumbnails": _pictures(creator.picture),
        "channelTitle": escape(creator.nickname),
        "liveBroadcastContent": "none",
    }
    return {"kind": "youtube#searchResult", "id": {"kind": "youtube#channel", "channelId": told}, "snippet": snippet}


def channel_item(creator: Creator, parts: list[str]) -> dict[str, Any]:
    """A channel looked up, with the parts that were asked for."""
    dice = Dice("channel item", creator.uid)
    told, hidden = channel_id(number_of(creator.uid)), dice.percent(4)
    snippet: dict[str, Any] = {
        "title": creator.nickname,
        "description": creator.bio,
        "customUrl": f"@{creator.handle}",
        "publishedAt": _iso(creator.created_at),
        "thumbnails": _pictures(creator.picture),
    }
    if dice.percent(70):
        snippet["country"] = creator.region
    subscribers = int(creator.followers // 10 ** max(0, len(str(creator.followers)) - 3))
    subscribers *= int(10 ** max(0, len(str(creator.followers)) - 3))
    blocks = {
        "snippet": snippet,
        "statistics": {
            "viewCount": str(creator.hearts),
            **({} if hidden else {"subscriberCount": str(subscribers)}),
            "hiddenSubscriberCount": hidden,
            "videoCount": str(creator.videos),
        },
        "contentDetails": {"relatedPlaylists": {"likes": "", "uploads": f"UU{told[2:]}"}},
        "brandingSettings": {"channel": {"title": creator.nickname, "keywords": 'kettles "desk lamp" tea'}},
    }
    return {"kind": "youtube#channel", "id": told, **{name: blocks[name] for name in parts if name in blocks}}


def video_item(video: Video, parts: list[str]) -> dict[str, Any]:
    """A video looked up; some hide their likes, some have no tags."""
    dice = Dice("video item", video.id)
    counts = {"viewCount": str(video.plays), "likeCount": str(video.likes), "commentCount": str(video.comments)}
    if dice.percent(5):
        del counts["likeCount"]
    snippet: dict[str, Any] = {
        "publishedAt": _iso(video.created_at),
        "channelId": channel_id(number_of(video.author.uid)),
        "title": video.text or "untitled",
        "description": video.text,
        "channelTitle": video.author.nickname,
    }
    if video.hashtags:
        snippet["tags"] = list(video.hashtags)
    seconds = video.duration_ms // 1000
    details = {"duration": f"PT{seconds // 60}M{seconds % 60}S"}
    blocks = {"snippet": snippet, "statistics": counts, "contentDetails": details}
    return {"kind": "youtube#video", "id": video.id, **{name: blocks[name] for name in parts if name in blocks}}


def _pictures(path: str) -> dict[str, Any]:
    return {
        name: {"url": f"https://i.cdn.example/{path}=s{size}", "width": size, "height": size}
        for name, size in _SIZES.items()
    }


def _iso(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%SZ}"
