"""What the TikTok Research API finds in a window of days. Pure.

Each video of a word has its day of the year, and is there in every year; so a walk back through one year or more finds
all of them, whatever day it is today.
"""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from platforms.simulator.dice import Dice
from platforms.simulator.walks import video_at, walk_of

SOURCE = "tiktok_research"
STEP = 20
"""How many videos a page looks at, whatever ``max_count`` wishes."""

_YEAR = 365
_EMPTY_PERCENT = 20
_DELETED_PERCENT = 10


def word_of(query: Any) -> str | None:
    """The word a query is about; a hashtag with ``#``. None where it names neither."""
    if not isinstance(query, dict):
        return None
    conditions = [one for name in ("and", "or") for one in query.get(name) or () if isinstance(one, dict)]
    for field, mark in (("keyword", ""), ("hashtag_name", "#")):
        for one in conditions:
            if one.get("field_name") == field and one.get("field_values"):
                return f"{mark}{one['field_values'][0]}".lower()
    return None


def pages_of(seed: int, word: str, items: int, first: date, last: date) -> list[list[dict[str, Any]]]:
    """The pages of one window, with pages in between on which all videos were deleted; at least one page."""
    walk = walk_of(SOURCE, word)
    days = {
        (first + timedelta(days=at)).toordinal() % _YEAR: first + timedelta(days=at)
        for at in range((last - first).days + 1)
    }
    found = [(at, days[day]) for at in range(items) if (day := _day_of(seed, walk, at)) in days]
    pages: list[list[dict[str, Any]]] = []
    for start in range(0, len(found), STEP):
        if Dice(seed, "empty page", walk, first, start).percent(_EMPTY_PERCENT):
            pages.append([])
        chunk = found[start : start + STEP]
        pages.append([_video(seed, walk, at, day) for at, day in chunk if not is_deleted(seed, walk, at)])
    return pages or [[]]


def is_deleted(seed: int, walk: str, position: int) -> bool:
    """Whether a video is counted and then left out."""
    return Dice(seed, "deleted", walk, position).percent(_DELETED_PERCENT)


def usernames(seed: int, word: str, items: int) -> tuple[str, ...]:
    """The handles that a walk of a year or more finds."""
    walk = walk_of(SOURCE, word.lower())
    shown = (at for at in range(items) if not is_deleted(seed, walk, at))
    return tuple(dict.fromkeys(video_at(seed, walk, at).author.handle for at in shown))


def _day_of(seed: int, walk: str, position: int) -> int:
    return Dice(seed, "day", walk, position).below(_YEAR)


def _video(seed: int, walk: str, position: int, day: date) -> dict[str, Any]:
    video = video_at(seed, walk, position)
    moment = datetime.combine(day, time(12), UTC)
    return {
        "id": int(video.id),
        "username": video.author.handle,
        "video_description": " ".join([video.text, *(f"#{tag}" for tag in video.hashtags)]).strip(),
        "hashtag_names": list(video.hashtags),
        "create_time": int(moment.timestamp()),
        "region_code": video.author.region,
        "view_count": video.plays,
        "like_count": video.likes,
        "comment_count": video.comments,
        "share_count": video.shares,
        "video_duration": video.duration_ms // 1000,
    }
