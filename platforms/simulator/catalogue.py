"""A world of any size, made from a seed. Pure: every answer follows from (seed, query, position) or from a handle.

Tests compute the truth here, without HTTP: `creators_of` is what a complete walk has to store.
"""

from functools import lru_cache
from typing import Any

from platforms.simulator import tiktok_answers
from platforms.simulator.dice import Dice
from platforms.simulator.people import NUMBERS, Creator, creator, creator_of_handle, uid_of
from platforms.simulator.settings import CURSOR_STEP, Settings
from platforms.simulator.tiktok_items import item_of
from platforms.simulator.videos import Video, make_video

_REPEATED_VIDEO_PERCENT = 3
_REPEATED_AUTHOR_PERCENT = 8
_POPULAR_PERCENT = 4
_POPULAR_CREATORS = 100
"""Creators that turn up under every query of a seed, so that walks of different words overlap."""

_REACH = 45
"""How far back a repetition reaches, in items: into the page itself and the one or two before it."""


class Catalogue:
    """The generated world as a source of answers."""

    def __init__(self, settings: Settings) -> None:
        self._seed = settings.seed
        self._items_per_query = settings.items_per_query

    def search(self, query: str, cursor: int) -> dict[str, Any]:
        """The keyword page at ``cursor``, or the recorded shape of an end after the last one."""
        starts = page_starts(self._seed, query, self._items_per_query)
        page = cursor // CURSOR_STEP
        if page >= len(starts) - 1:
            return tiktok_answers.search_end(query, cursor + CURSOR_STEP)
        items = [item_of(video_at(self._seed, query, at)) for at in range(starts[page], starts[page + 1])]
        # Recorded: has_more turns 0 on pages that are followed by more items.
        has_more = not Dice(self._seed, "has_more", query, page).percent(12)
        return tiktok_answers.search_page(items, query, cursor + CURSOR_STEP, has_more)

    def profile(self, handle: str) -> dict[str, Any] | None:
        """The profile of a handle; None when nobody has it."""
        found = creator_of_handle(self._seed, handle)
        return None if found is None else tiktok_answers.profile(found)


def creators_of(seed: int, query: str, items_per_query: int) -> tuple[str, ...]:
    """The distinct creators (uids) of a query's whole walk, in the order they first appear."""
    return tuple(dict.fromkeys(uid_of(_author_number(seed, query, at)) for at in range(items_per_query)))


def videos_of(seed: int, query: str, items_per_query: int) -> tuple[str, ...]:
    """The distinct videos (aweme_ids) of a query's whole walk, in the order they first appear."""
    return tuple(dict.fromkeys(video_at(seed, query, at).id for at in range(items_per_query)))


def author_at(seed: int, query: str, position: int) -> Creator:
    """Who made the item at this position (from 0) of a query's walk."""
    return creator(seed, _author_number(seed, query, position))


def video_at(seed: int, query: str, position: int) -> Video:
    """The item at this position (from 0) of a query's walk. Some positions repeat an earlier video."""
    origin = _origin(seed, query, position)
    return make_video(author_at(seed, query, origin), query, seed, query, origin)


@lru_cache(maxsize=256)
def page_starts(seed: int, query: str, items_per_query: int) -> tuple[int, ...]:
    """The position of each page's first item, then the number of items. A page holds 24 to 30, the last maybe less."""
    starts = [0]
    while starts[-1] < items_per_query:
        size = Dice(seed, "page size", query, len(starts)).between(24, 30)
        starts.append(min(starts[-1] + size, items_per_query))
    return tuple(starts)


def _origin(seed: int, query: str, position: int) -> int:
    while position:
        dice = Dice(seed, "repeated video", query, position)
        if not dice.percent(_REPEATED_VIDEO_PERCENT):
            break
        position -= dice.between(1, min(position, _REACH))
    return position


def _author_number(seed: int, query: str, position: int) -> int:
    position = _origin(seed, query, position)
    while position:
        dice = Dice(seed, "repeated author", query, position)
        if not dice.percent(_REPEATED_AUTHOR_PERCENT):
            break
        position -= dice.between(1, min(position, _REACH))
    dice = Dice(seed, "author", query, position)
    if dice.percent(_POPULAR_PERCENT):
        return Dice(seed, "popular", dice.below(_POPULAR_CREATORS)).below(NUMBERS)
    return dice.below(NUMBERS)
