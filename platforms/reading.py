"""Reads a page's list of items: all at once where every item is readable, else one by one.

The whole page is decoded typed at once, skipping what is not read; only when that fails is each item decoded by itself,
so that one odd item costs itself and not the page.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

import msgspec

from platforms.decoding import decode
from platforms.pages import Item, Unreadable
from worker.errors import ShapeError

A = TypeVar("A")
R = TypeVar("R")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Listing(Generic[A]):
    """What a page's answer holds; ``items`` is None where the list is missing."""

    answer: A
    items: list[Item] | None
    unreadable: list[Unreadable]


class ListReader(Generic[A, R, T]):
    """Reads one endpoint's pages.

    Args:
        typed: The answer with its items typed.
        raw: The same answer with its items as `msgspec.Raw`.
        entries: The list of either answer; None where it is missing.
        one: The type of one item.
        item: One typed item as an `Item`. Raises `ShapeError` when something it cannot do without is missing.
    """

    def __init__(
        self,
        typed: type[A],
        raw: type[R],
        entries: Callable[[A], list[T] | None],
        raw_entries: Callable[[R], list[msgspec.Raw] | None],
        one: type[T],
        item: Callable[[T], Item],
    ) -> None:
        self._typed = msgspec.json.Decoder(typed)
        self._raw = msgspec.json.Decoder(raw)
        self._one = msgspec.json.Decoder(one)
        self._entries = entries
        self._raw_entries = raw_entries
        self._item = item

    def read(self, body: bytes) -> Listing[A | R]:
        """The answer with its items. Raises `ShapeError` (``not_json``, ``wrong_page_shape``)."""
        try:
            answer = decode(self._typed, body)
        except msgspec.ValidationError:
            return self._read_one_by_one(body)
        entries = self._entries(answer)
        if entries is None:
            return Listing(answer, None, [])
        try:
            return Listing(answer, [self._item(entry) for entry in entries], [])
        except ShapeError:
            return self._read_one_by_one(body)

    def reread(self, raw: bytes) -> Item:
        """One item by itself. Raises `ShapeError` when it cannot be read."""
        try:
            return self._item(decode(self._one, raw))
        except msgspec.ValidationError as error:
            raise ShapeError("wrong_item_shape", str(error)) from error

    def _read_one_by_one(self, body: bytes) -> Listing[A | R]:
        try:
            answer = decode(self._raw, body)
        except msgspec.ValidationError as error:
            raise ShapeError("wrong_page_shape", f"expected a page of results: {error}") from error
        entries = self._raw_entries(answer)
        if entries is None:
            return Listing(answer, None, [])
        items: list[Item] = []
        unreadable: list[Unreadable] = []
        for entry in entries:
            try:
                items.append(self.reread(bytes(entry)))
            except ShapeError as error:
                unreadable.append(Unreadable(bytes(entry), error.reason, str(error)))
        return Listing(answer, items, unreadable)


def refuse_if_nothing_is_readable(listing: Listing[A]) -> None:
    """Raise `ShapeError` (``all_items_unreadable``) for a page with items none of which can be read."""
    if listing.unreadable and not listing.items:
        first = listing.unreadable[0]
        raise ShapeError(
            "all_items_unreadable", f"none of {len(listing.unreadable)} items can be read: {first.message}"
        )
