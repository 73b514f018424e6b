"""What the three Instagram searches share: they read a search engine's index, eleven pages deep and no deeper.

The twelfth page is a 400. Facts from the vendor's documents of 2026; results are best effort, not complete.
"""

from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Final, TypeVar

import msgspec

from platforms.contract import Query
from platforms.normalise.numbers import count
from platforms.pages import Cursor, Item, Page, Request, Response, Walk
from platforms.reading import ListReader, refuse_if_nothing_is_readable
from platforms.scrapecreators.client import Answer, said
from platforms.scrapecreators.endpoint import Endpoint
from platforms.scrapecreators.pricing import credits_of
from worker.errors import ShapeError

FIRST_PAGE: Final = 1
LAST_PAGE: Final = 11
PROVIDER_DEPTH: Final = "provider_depth"
"""The end of a walk behind whose last page there may be more, which the provider does not give."""

T = TypeVar("T")


class CursorAnswer(Answer):
    """What every reading of a page needs. The cursor is the next page's number, as text."""

    cursor: Any = None


def reader(key: str, one: type[T], item: Callable[[T], Item]) -> ListReader[Any, Any, Any]:
    """A reader of pages whose list is called ``key``."""
    typed, raw = (
        msgspec.defstruct(
            f"{name}_{key}",
            [("entries", list[inner] | None, msgspec.field(default=None, name=key))],  # type: ignore[valid-type]
            bases=(CursorAnswer,),
        )
        for name, inner in (("Typed", one), ("Raw", msgspec.Raw))
    )
    return ListReader(typed, raw, lambda page: page.entries, lambda page: page.entries, one, item)


class IndexSearch(Endpoint):
    """The shared half of the three sources. Cursors are page numbers from 1."""

    route: ClassVar[str]
    asks: ClassVar[str]
    """The parameter that holds the word."""
    counts: ClassVar[str] = "cursor"
    """The parameter that holds the page's number."""
    passed_on: ClassVar[Sequence[str]] = ()
    key: ClassVar[str]
    """What the answer calls its list."""
    reader: ClassVar[ListReader[Any, Any, Any]]

    def request(self, query: Query, walk: Walk) -> Request:
        """The call for one page of one word."""
        options = {name: query.options[name] for name in self.passed_on if query.options.get(name)}
        place = {} if walk.cursor == FIRST_PAGE else {self.counts: str(walk.cursor)}
        return Request(self.route, {self.asks: walk.word, **place, **options})

    def parse(self, response: Response, query: Query, walk: Walk) -> Page:
        """The page in an answer judged ``ok``.

        Raises:
            ShapeError: ``not_json``, ``wrong_page_shape``, ``success_false``, ``missing_list``,
                ``all_items_unreadable``.
        """
        listing = self.reader.read(response.body)
        answer, items = listing.answer, listing.items
        if items is None:
            reason = "success_false" if answer.success is False else "missing_list"
            raise ShapeError(reason, f"expected {self.key}, seen none ({said(answer)})")
        refuse_if_nothing_is_readable(listing)
        following = self.following(answer, len(items) + len(listing.unreadable), walk.cursor)
        too_deep = isinstance(following, int) and following > LAST_PAGE
        ended = following is None or too_deep
        return Page(
            tuple(items),
            tuple(listing.unreadable),
            None if ended else following,
            ended,
            credits_of(answer, self.credits),
            PROVIDER_DEPTH if too_deep else "exhausted",
        )

    def following(self, answer: CursorAnswer, results: int, asked: Cursor) -> Cursor | None:
        """The cursor after this page; None at the end. One that does not move on is given back as the one asked."""
        told = answer.cursor
        number = count(told)
        if number is None:
            return told if isinstance(told, str) and told.strip() else None
        return max(number, asked) if isinstance(asked, int) else number

    def reread(self, raw: bytes, query: Query, walk: Walk) -> Item:
        """One item set aside earlier. Raises `ShapeError` when it still cannot be read."""
        return self.reader.reread(raw)
