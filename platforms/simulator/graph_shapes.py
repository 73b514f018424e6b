"""Media and accounts as the Instagram Graph API writes them: only what is named, and no empty values."""

from datetime import UTC, datetime
from typing import Any

from platforms.simulator.calls import Answer, told
from platforms.simulator.dice import Dice
from platforms.simulator.people import Creator, number_of
from platforms.simulator.scrapecreators.instagram_shapes import caption, shortcode
from platforms.simulator.videos import Video, make_video

_POSTS = 40
_TAG_PREFIX = "17843"


def media(video: Video, fields: list[str]) -> dict[str, Any]:
    """One post. Nobody is told to be the owner; some hide likes, some lack the picture."""
    dice = Dice("media", video.id)
    known: dict[str, Any] = {
        "caption": caption(video),
        "comments_count": video.comments,
        "media_type": dice.pick(("IMAGE", "VIDEO", "CAROUSEL_ALBUM")),
        "permalink": f"https://www.instagram.example/p/{shortcode(video)}/",
        "timestamp": f"{datetime.fromtimestamp(video.created_at, UTC):%Y-%m-%dT%H:%M:%S}+0000",
    }
    if not dice.percent(10):
        known["like_count"] = video.likes
    if not dice.percent(5):
        known["media_url"] = f"https://scontent.cdn.example/{video.picture}.jpg"
    return {**{name: known[name] for name in fields if known.get(name) not in (None, "")}, "id": video.id}


def discovered(seed: int, creator: Creator, expression: str) -> dict[str, Any]:
    """``business_discovery``: the account, and its posts where ``media`` is named."""
    known: dict[str, Any] = {
        "username": creator.handle,
        "name": creator.nickname,
        "biography": creator.bio,
        "website": creator.link or "",
        "profile_picture_url": f"https://scontent.cdn.example/{creator.picture}.jpg",
        "followers_count": creator.followers,
        "follows_count": creator.following,
        "media_count": creator.videos,
    }
    account: dict[str, Any] = {"id": f"17841{number_of(creator.uid)}"}
    for name, inner in named_fields(expression):
        if name.partition(".")[0] == "media":
            account["media"] = _posts(seed, creator, name, inner)
        elif known.get(name) not in (None, ""):
            account[name] = known[name]
    return account


def named_fields(expression: str) -> list[tuple[str, str]]:
    """The fields of an expression, each with what stands in its braces: ``a,media.limit(2){id}``."""
    found, depth, name, inner = [], 0, "", ""
    for letter in f"{expression},":
        if letter == "," and depth == 0:
            found.append((name, inner))
            name = inner = ""
            continue
        depth -= letter in "})"
        if depth and "{" in name:
            inner += letter
        else:
            name += letter
        depth += letter in "{("
    return [(name.partition("{")[0], inner) for name, inner in found if name]


def is_professional(creator: Creator) -> bool:
    """Whether an account can be found by its name: three of four, and none that is private or gone."""
    return creator.standing == "found" and Dice("professional", creator.uid).percent(75)


def hashtag_id(word: str) -> str:
    """The id of a hashtag, the same for every account."""
    return _TAG_PREFIX + str(int.from_bytes(word.lower().encode(), "big"))


def hashtag_of_id(told_id: str) -> str | None:
    """The hashtag with this id; None for none."""
    digits = told_id.removeprefix(_TAG_PREFIX)
    if not (told_id.startswith(_TAG_PREFIX) and digits.isascii() and digits.isdigit() and len(digits) < 300):
        return None
    number = int(digits)
    try:
        return number.to_bytes((number.bit_length() + 7) // 8, "big").decode() or None
    except UnicodeDecodeError:
        return None


def refused_with(
    status: int,
    code: int,
    subcode: int | None,
    message: str,
    *,
    title: str | None = None,
    headers: dict[str, str] | None = None,
) -> Answer:
    """An error in the words of the Graph API."""
    error: dict[str, Any] = {"message": message, "type": "OAuthException", "code": code, "fbtrace_id": "Atrace0"}
    if subcode is not None:
        error["error_subcode"] = subcode
    if title:
        error["error_user_title"] = title
    if code in (1, 2, 4):
        error["is_transient"] = True
    return told(status, {"error": error}, headers)


def _posts(seed: int, creator: Creator, name: str, inner: str) -> dict[str, Any]:
    limit, start = _argument(name, "limit", 25), _argument(name, "after", 0)
    last = min(start + limit, creator.videos, _POSTS)
    fields = [field for field, _ in named_fields(inner)]
    posts = [make_video(creator, "daily", seed, "graph post", creator.uid, at) for at in range(start, last)]
    page: dict[str, Any] = {"data": [media(post, fields) for post in posts]}
    if last < min(creator.videos, _POSTS):
        page["paging"] = {"cursors": {"after": str(last)}}
    return page


def _argument(name: str, wanted: str, default: int) -> int:
    value = name.partition(f".{wanted}(")[2].partition(")")[0]
    return int(value) if value.isascii() and value.isdigit() else default
