"""A world of any size, made from a seed. Pure: every answer follows from (seed, query, position) or from a handle.

Tests compute the truth here, without HTTP: `creators_of` is what a complete TikTok keyword walk has to store, and
`platforms.simulator.truth` tells it of the other endpoints.
"""

from typing import Any

from platforms.simulator import tiktok_answers
from platforms.simulator.dice import Dice
from platforms.simulator.people import creator_of_handle, uid_of
from platforms.simulator.settings import CURSOR_STEP, Settings
from platforms.simulator.tiktok_items import item_of
from platforms.simulator.walks import author_at, numbers_of, page_starts, video_at

__all__ = ["Catalogue", "author_at", "creators_of", "page_starts", "video_at", "videos_of"]


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
    return tuple(map(uid_of, numbers_of(seed, query, items_per_query)))


def videos_of(seed: int, query: str, items_per_query: int) -> tuple[str, ...]:
    """The distinct videos (aweme_ids) of a query's whole walk, in the order they first appear."""
    return tuple(dict.fromkeys(video_at(seed, query, at).id for at in range(items_per_query)))
