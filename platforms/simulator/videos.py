"""Generated videos: what one item of a search page says, before it gets the provider's shape."""

from dataclasses import dataclass

from platforms.simulator.dice import Dice
from platforms.simulator.people import NUMBERS, Creator
from platforms.simulator.words import HASHTAGS, PHRASES

_ID_BASE = 7_000_000_000_000_000_000


@dataclass(frozen=True, slots=True)
class Video:
    """One generated video."""

    id: str
    author: Creator
    text: str
    hashtags: tuple[str, ...]
    mention: str | None
    """The uid of a creator who is mentioned at the end of the text."""
    other_extra: bool
    """True where ``text_extra`` also holds an entry of type 5, which is neither a hashtag nor a mention."""
    created_at: int
    """Epoch seconds."""
    duration_ms: int
    plays: int
    likes: int
    comments: int
    shares: int
    saves: int
    kind: int
    """The provider's ``aweme_type``: 0 in 96 of 100, 51 to 61 otherwise."""
    picture: str


def make_video(author: Creator, topic: str, *key: object) -> Video:
    """The video that ``key`` names, by ``author`` about ``topic``."""
    dice = Dice("video", *key)
    plays = dice.between(500, 9999) * dice.pick((1, 10, 100, 1000))
    likes = plays * dice.between(1, 15) // 100
    silent = dice.percent(5)
    topic_tag = "".join(topic.lower().split())
    tags = dict.fromkeys([topic_tag, *(dice.pick(HASHTAGS) for _ in range(dice.below(5)))])
    return Video(
        id=str(_ID_BASE + dice.below(NUMBERS)),
        author=author,
        text="" if silent else f"{topic}: {dice.pick(PHRASES)}",
        hashtags=() if silent or dice.percent(10) else tuple(filter(None, tags)),
        mention=author.uid if dice.percent(8) and not silent else None,
        other_extra=dice.percent(3),
        created_at=dice.between(1_600_000_000, 1_750_000_000),
        duration_ms=dice.between(5_015, 300_000),
        plays=plays,
        likes=likes,
        comments=likes * dice.below(20) // 100,
        shares=likes * dice.below(15) // 100,
        saves=likes * dice.below(30) // 100,
        kind=0 if dice.percent(96) else dice.pick((51, 53, 55, 58, 61)),
        picture=f"cover/{dice.hex(16)}",
    )
