"""Videos, shorts, lives and channels as ScrapeCreators' YouTube search shows them, and the channel page."""

from datetime import timedelta
from typing import Any

from platforms.simulator.channels import channel_id
from platforms.simulator.dice import Dice
from platforms.simulator.people import Creator, number_of
from platforms.simulator.videos import Video
from worker.clock import utc_now

_AGES = (("5 years ago", 1825), ("10 months ago", 300), ("2 weeks ago", 14), ("3 hours ago", 0))
_COUNTRIES = {"US": "United States", "GB": "United Kingdom", "DE": "Germany", "JP": "Japan"}


def found_video(video: Video, kind: str, *, in_shelf: bool = False) -> dict[str, Any]:
    """One element of ``videos``, ``shorts`` or ``lives``; shelves write view counts rounded."""
    dice = Dice("youtube item", video.id, kind)
    age, days = dice.pick(_AGES)
    unseen = dice.percent(2)
    seconds = dice.between(10, 60) if kind == "short" else dice.between(61, 5000)
    views = rounded(video.plays) if in_shelf else video.plays
    untimed = dice.percent(3)
    return {
        "type": kind,
        "id": video.id,
        "url": f"https://www.youtube.example/watch?v={video.id}",
        "title": " ".join([video.text or "untitled", *(f"#{tag}" for tag in video.hashtags[:2])]),
        "thumbnail": f"https://i.cdn.example/vi/{video.id}/hq720.jpg",
        "channel": channel_of(video.author),
        "viewCountText": "No views" if unseen else _short(views) if in_shelf else f"{views:,} views",
        "viewCountInt": None if unseen else views,
        "publishedTimeText": f"Streamed {age}" if kind == "live" else age,
        # Computed from now, as the provider does: no real date.
        "publishedTime": f"{utc_now() - timedelta(days=days):%Y-%m-%dT%H:%M:%S.000Z}",
        "lengthText": "" if untimed else f"{seconds // 60}:{seconds % 60:02}",
        "lengthSeconds": None if untimed else seconds,
        "badges": ["4K"] if dice.percent(20) else [],
    }


def channel_of(creator: Creator) -> dict[str, Any]:
    """The ``channel`` of a video; in a tenth the handle is the channel's path instead."""
    told = channel_id(number_of(creator.uid))
    bare = Dice("bare handle", creator.uid).percent(10)
    return {
        "id": told,
        "title": creator.nickname,
        "handle": f"channel/{told}" if bare else creator.handle,
        "thumbnail": f"https://yt3.cdn.example/{creator.picture}=s68-c-k",
    }


def found_channel(creator: Creator) -> dict[str, Any]:
    """One element of ``channels``."""
    subscribers = rounded(creator.followers)
    return {
        "type": "channel",
        "id": channel_id(number_of(creator.uid)),
        "channelName": creator.nickname,
        "handle": creator.handle,
        "description": creator.bio[:60],
        "thumbnail": f"https://yt3.cdn.example/{creator.picture}=s176",
        "subscriberCountText": _short(subscribers),
        "subscriberCountInt": subscribers,
        "badges": ["Verified"] if any(creator.verification) else [],
    }


def channel_page(creator: Creator) -> dict[str, Any]:
    """The answer of the channel endpoint; links come a second time under keys made of their titles."""
    dice = Dice("channel page", creator.uid)
    subscribers = rounded(creator.followers)
    page: dict[str, Any] = {
        "channelId": channel_id(number_of(creator.uid)),
        "channel": f"http://www.youtube.example/@{creator.handle}",
        "name": creator.nickname,
        "avatar": {
            "image": {
                "sources": [
                    {"url": f"https://yt3.cdn.example/{creator.picture}=s{size}", "width": size, "height": size}
                    for size in (72, 120, 160)
                ]
            },
            "avatarImageSize": "AVATAR_SIZE_XL",
        },
        "description": creator.bio,
        "subscriberCount": subscribers,
        "subscriberCountText": f"{_short(subscribers)} subscribers",
        "videoCount": creator.videos,
        "videoCountText": f"{creator.videos:,} videos",
        "viewCount": creator.hearts,
        "viewCountText": f"{creator.hearts:,} views",
        "joinedDateText": "Joined Mar 8, 2017",
        "tags": ", ".join(dict.fromkeys(dice.pick(("desk lamp", "kettles", "slow tools", "tea")) for _ in range(3))),
        "email": f"{creator.handle}@office.example" if dice.percent(3) else None,
        "links": [],
    }
    if dice.percent(90):
        page["handle"] = f"@{creator.handle}"
    if creator.region in _COUNTRIES:
        page["country"] = _COUNTRIES[creator.region]
    if creator.link and creator.link.startswith("http"):
        title = dice.pick(("store", "check_us_out_on_x_(twitter)", "name", "search_1,000+_workout_videos"))
        page = {**({} if title == "name" else {title: creator.link}), **page, "links": [creator.link]}
    return page


def rounded(count: int) -> int:
    """Three figures, as YouTube tells counts."""
    step = int(10 ** max(0, len(str(count)) - 3))
    return count // step * step


def _short(count: int) -> str:
    for unit, letter in ((10**9, "B"), (10**6, "M"), (10**3, "K")):
        if count >= unit:
            return f"{count / unit:.3g}{letter}"
    return str(count)
