"""Instagram hashtag: ``GET /ig_hashtag_search`` gives its id. A week allows an account 30 different hashtags."""

from typing import Any, Final

import msgspec

from platforms.contract import Query
from platforms.decoding import decode
from platforms.instagram_graph.client import VERSION
from platforms.instagram_graph.endpoint import Endpoint
from platforms.instagram_graph.media import first_cursor
from platforms.normalise.instagram_hit import identifier
from platforms.pages import ACCOUNT, OPENED, Item, Page, Request, Response, Walk, start_walk
from worker.errors import ShapeError

LISTS: Final = ("top_media", "recent_media")
"""What a hashtag opens: its most popular media, and that of the last 24 hours."""


class Tag(msgspec.Struct):
    """A hashtag. Its id is the same for every app."""

    id: str | int | None = None


class TagAnswer(msgspec.Struct):
    """The answer: one tag, or an empty list."""

    data: list[Tag] | None = None
    paging: Any = None


_ANSWER = msgspec.json.Decoder(TagAnswer)


class HashtagId(Endpoint):
    """The source of the first step. It holds no items and opens the hashtag's two lists."""

    endpoint = "ig_hashtag_search"

    def request(self, query: Query, walk: Walk) -> Request:
        """The call for one hashtag, without ``#``."""
        return Request(f"/{VERSION}/{self.endpoint}", {"user_id": ACCOUNT, "q": walk.word})

    def parse(self, response: Response, query: Query, walk: Walk) -> Page:
        """The hashtag's lists as walks; ended as ``no_such_hashtag`` when there is none.

        Raises:
            ShapeError: ``not_json``, ``wrong_page_shape`` or ``missing_list``.
        """
        try:
            answer = decode(_ANSWER, response.body)
        except msgspec.ValidationError as error:
            raise ShapeError("wrong_page_shape", f"expected a list of hashtags: {error}") from error
        if answer.data is None:
            raise ShapeError("missing_list", "expected data with a hashtag, seen no data")
        found = next(filter(None, (identifier(tag.id) for tag in answer.data)), "")
        return Page(
            ended=True,
            end_reason=OPENED if found else "no_such_hashtag",
            walks=tuple(start_walk(name, walk.word, first_cursor(found)) for name in LISTS) if found else (),
            step=True,
            credits=self.credits,
        )

    def reread(self, raw: bytes, query: Query, walk: Walk) -> Item:
        """A step has no items. Always raises `ShapeError` (``no_items``)."""
        raise ShapeError("no_items", "the look-up of a hashtag holds no items")
