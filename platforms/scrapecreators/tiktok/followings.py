"""Whom a TikTok account follows: ``GET /v1/tiktok/user/following``. Page facts from published answers, January 2025.

The list goes back in time: each page tells a ``min_time``, which asks for what is older. A private list gives none.
"""

from typing import Any, Final

import msgspec

from platforms.contract import Query
from platforms.normalise.numbers import count
from platforms.normalise.tiktok_account import Account, item_of
from platforms.pages import Item, Page, Request, Response, Walk
from platforms.reading import ListReader, refuse_if_nothing_is_readable
from platforms.scrapecreators.client import Answer, said
from platforms.scrapecreators.endpoint import Endpoint
from platforms.scrapecreators.outcomes import TARGET_RULES
from platforms.scrapecreators.pricing import credits_of
from platforms.scrapecreators.tiktok.trail import best_first, trail_of
from worker.errors import ShapeError


class FollowingsAnswer(Answer):
    """What every reading of a page needs. ``has_more`` is left out: some answers lack it."""

    min_time: Any = None


class TypedPage(FollowingsAnswer):
    """A page with every account readable."""

    followings: list[Account] | None = None


class RawPage(FollowingsAnswer):
    """A page whose accounts are read one by one."""

    followings: list[msgspec.Raw] | None = None


_READER: Final = ListReader(
    TypedPage, RawPage, lambda page: page.followings, lambda page: page.followings, Account, item_of
)


class Followings(Endpoint):
    """The source: the accounts that the target follows. Its cursor is a `Trail`, its word the target's handle."""

    endpoint = "tiktok/user/following"
    rules = TARGET_RULES

    def request(self, query: Query, walk: Walk) -> Request:
        """The call for one page of one account's list."""
        at = trail_of(walk).at
        return Request(f"/v1/{self.endpoint}", {"handle": walk.word, **({"min_time": str(at)} if at else {})})

    def parse(self, response: Response, query: Query, walk: Walk) -> Page:
        """The page in an answer judged ``ok``, best match first.

        The end is an empty list, or a ``min_time`` that does not fall.

        Raises:
            ShapeError: ``not_json``, ``wrong_page_shape``, ``success_false``, ``missing_list``,
                ``all_items_unreadable``.
        """
        listing = _READER.read(response.body)
        answer, found = listing.answer, listing.items
        cost = credits_of(answer, self.credits)
        if found is None:
            reason = "success_false" if answer.success is False else "missing_list"
            raise ShapeError(reason, f"expected followings, seen none ({said(answer)})")
        if not found and not listing.unreadable:
            return Page(ended=True, credits=cost)
        refuse_if_nothing_is_readable(listing)
        trail = trail_of(walk)
        oldest = count(answer.min_time)
        items, dropped = best_first(found, trail, query.target_username or "", "")
        unreadable = tuple(listing.unreadable)
        if not oldest or (trail.at and oldest >= trail.at):
            return Page(items, unreadable, ended=True, credits=cost, dropped=dropped)
        return Page(items, unreadable, trail.moved(oldest), credits=cost, dropped=dropped)

    def reread(self, raw: bytes, query: Query, walk: Walk) -> Item | None:
        """One account set aside earlier; None for the target and private ones. Raises `ShapeError`."""
        items, _ = best_first([_READER.reread(raw)], trail_of(walk), query.target_username or "", "")
        return next(iter(items), None)
