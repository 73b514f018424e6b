"""TikTok user search: ``GET /v1/tiktok/search/users``. Page facts from a recorded answer, July 2025."""

from typing import Any, Final

import msgspec

from platforms.contract import Query
from platforms.normalise.numbers import count
from platforms.normalise.tiktok_account import Account, item_of
from platforms.pages import Item, Page, Request, Response, Walk
from platforms.reading import ListReader, refuse_if_nothing_is_readable
from platforms.scrapecreators.client import Answer, said
from platforms.scrapecreators.endpoint import Endpoint
from platforms.scrapecreators.pricing import credits_of
from platforms.scrapecreators.tiktok.trail import best_first, trail_of
from worker.errors import ShapeError

PAGE_SIZE: Final = 30


class Hit(msgspec.Struct):
    """One entry of the list. Trimmed answers lack ``user_info`` and are another shape, which is not guessed at."""

    user_info: Account


class UsersAnswer(Answer):
    """What every reading of a page needs; no answer has told ``has_more``."""

    cursor: Any = None


class TypedPage(UsersAnswer):
    """A page with every account readable."""

    users: list[Hit] | None = None


class RawPage(UsersAnswer):
    """A page whose accounts are read one by one."""

    users: list[msgspec.Raw] | None = None


_READER: Final = ListReader(
    TypedPage, RawPage, lambda page: page.users, lambda page: page.users, Hit, lambda hit: item_of(hit.user_info)
)


class UserSearch(Endpoint):
    """The source: accounts by one of the target's own words. Its cursor is a `Trail`."""

    endpoint = "tiktok/search/users"

    def request(self, query: Query, walk: Walk) -> Request:
        """The call for one page of one word."""
        return Request(f"/v1/{self.endpoint}", {"query": walk.word, "cursor": str(trail_of(walk).at)})

    def parse(self, response: Response, query: Query, walk: Walk) -> Page:
        """The page in an answer judged ``ok``, best match first. The end is an empty list.

        Raises:
            ShapeError: ``not_json``, ``wrong_page_shape``, ``success_false``, ``missing_list``,
                ``all_items_unreadable``.
        """
        listing = _READER.read(response.body)
        answer, found = listing.answer, listing.items
        cost = credits_of(answer, self.credits)
        if found is None:
            reason = "success_false" if answer.success is False else "missing_list"
            raise ShapeError(reason, f"expected users, seen none ({said(answer)})")
        if not found and not listing.unreadable:
            return Page(ended=True, credits=cost)
        refuse_if_nothing_is_readable(listing)
        trail = trail_of(walk)
        after = count(answer.cursor)
        following = trail.at + PAGE_SIZE if after is None else max(trail.at, after)
        items, dropped = best_first(found, trail, query.target_username or "", walk.word)
        return Page(items, tuple(listing.unreadable), trail.moved(following), credits=cost, dropped=dropped)

    def reread(self, raw: bytes, query: Query, walk: Walk) -> Item | None:
        """One account set aside earlier; None for the target and private ones. Raises `ShapeError`."""
        items, _ = best_first([_READER.reread(raw)], trail_of(walk), query.target_username or "", walk.word)
        return next(iter(items), None)
