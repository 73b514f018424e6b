"""Who and what stands at each position of a walk. Pure: it follows from (seed, walk, position).

A walk is one word asked of one source. The keyword search of TikTok is the source without a name.
"""

from functools import lru_cache

from platforms.simulator.dice import Dice
from platforms.simulator.people import NUMBERS, Creator, creator
from platforms.simulator.videos import Video, make_video

_REPEATED_VIDEO_PERCENT = 3
_REPEATED_AUTHOR_PERCENT = 8
_POPULAR_PERCENT = 4
_POPULAR_CREATORS = 100
"""Creators that turn up under every query of a seed, so that walks of different words overlap."""

_REACH = 45
"""How far back a repetition reaches, in items: into the page itself and the one or two before it."""


def walk_of(source: str, word: str) -> str:
    """The name of a walk: the word alone for the source without a name."""
    return f"{source}\x1e{word}" if source else word


def numbers_of(seed: int, walk: str, items: int) -> tuple[int, ...]:
    """The distinct creators (numbers) of a whole walk of so many items, in the order they first appear."""
    return tuple(dict.fromkeys(author_number(seed, walk, at) for at in range(items)))


def author_at(seed: int, walk: str, position: int) -> Creator:
    """Who made the item at this position (from 0) of a walk."""
    return creator(seed, author_number(seed, walk, position))


def video_at(seed: int, walk: str, position: int) -> Video:
    """The item at this position (from 0) of a walk. Some positions repeat an earlier video."""
    origin = _origin(seed, walk, position)
    return make_video(author_at(seed, walk, origin), walk.rpartition("\x1e")[2], seed, walk, origin)


@lru_cache(maxsize=256)
def page_starts(seed: int, walk: str, items_per_query: int) -> tuple[int, ...]:
    """The position of each page's first item, then the number of items. A page holds 24 to 30, the last maybe less."""
    starts = [0]
    while starts[-1] < items_per_query:
        size = Dice(seed, "page size", walk, len(starts)).between(24, 30)
        starts.append(min(starts[-1] + size, items_per_query))
    return tuple(starts)


def _origin(seed: int, walk: str, position: int) -> int:
    while position:
        dice = Dice(seed, "repeated video", walk, position)
        if not dice.percent(_REPEATED_VIDEO_PERCENT):
            break
        position -= dice.between(1, min(position, _REACH))
    return position


def author_number(seed: int, walk: str, position: int) -> int:
    """The number of the creator at this position."""
    position = _origin(seed, walk, position)
    while position:
        dice = Dice(seed, "repeated author", walk, position)
        if not dice.percent(_REPEATED_AUTHOR_PERCENT):
            break
        position -= dice.between(1, min(position, _REACH))
    dice = Dice(seed, "author", walk, position)
    if dice.percent(_POPULAR_PERCENT):
        return Dice(seed, "popular", dice.below(_POPULAR_CREATORS)).below(NUMBERS)
    return dice.below(NUMBERS)
