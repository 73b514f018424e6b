"""What the conformance suite needs to know about one source: answers in its provider's shape, written here."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from platforms.contract import Adapter, Query, Source
from platforms.outcome import Rule
from platforms.pages import Cursor, Response, Walk
from platforms.registry import ADAPTERS

JSON = {"content-type": "application/json"}
HTML = {"content-type": "text/html"}


@dataclass(frozen=True)
class StepKit:
    """A source whose answers hold no items, e.g. the look-up of a target."""

    platform: str
    kind: str
    provider: str
    source: str
    query: Query
    walk: Walk
    """The walk at its beginning."""
    first_request: tuple[str, dict[str, str]]
    good: Response
    rules: Sequence[Rule]
    answers: Mapping[str, Response]
    """An answer for each row of the outcome table, by the rule's name."""
    wrong_shapes: Mapping[str, Response]
    """Answers judged ok whose shape is refused, by the reason of the `ShapeError`."""
    false_success: str = "not_json_with_2xx"
    """The rule that a page of HTML with 200 meets."""
    rate_limited: str | None = "rate_limited"
    """The rule of an answer that honours Retry-After; None where the provider never sends that header."""
    first_body: Any = None
    """The first request's JSON body; None for a GET."""

    @property
    def name(self) -> str:
        return f"{self.provider}: {self.platform} {self.kind} {self.source}"

    @property
    def adapter(self) -> Adapter:
        return next(
            one
            for one in ADAPTERS
            if (one.capability.platform, one.capability.kind, one.capability.provider)
            == (self.platform, self.kind, self.provider)
        )

    @property
    def read(self) -> Source:
        return self.adapter.sources[self.source]


@dataclass(frozen=True)
class Kit(StepKit):
    """A source that gives pages of items."""

    item: Callable[[int], dict[str, Any]] = dict
    """The raw item of a number; different numbers are different creators and contents."""
    page: Callable[[list[Any], int], Response] = field(default=lambda items, number: answer(items))
    """The page of a number (from 1) with these raw items. It says that more follow."""
    cursors: tuple[Cursor, Cursor, Cursor] = (0, 30, 60)
    """The cursors of the first three pages."""
    creator: Callable[[int], dict[str, Any]] = dict
    """What `item` is stored as, without provenance, when no profile was looked up."""
    one_page: bool = False
    """Whether a good answer is the whole list, and its end."""
    ended: Response | None = None
    """An answer that says the walk is over; None where the provider has none."""
    empty: Response | None = None
    """An answer with an empty list; None where no such answer can come."""
    empty_ends: bool = False
    """Whether an empty list is the end."""
    repeated_cursor: Response | None = None
    """A second page with an item that tells the cursor of the second page again; None where none is told."""
    text: tuple[str, str] = ("", "")
    """A stretch of text that item 1 alone holds, and the dotted path of the stored string that holds it."""
    odd_items: Sequence[Any] = (None, 7, "text", [], {})
    """Items that cannot be read."""
    names: tuple[str, str] = ("", "")
    """A piece of every item's texts and the same with NUL characters written as JSON escapes inside."""


def answer(value: object, status: int = 200, **headers: str) -> Response:
    """A JSON answer."""
    return Response(status, {**JSON, **headers}, json.dumps(value, ensure_ascii=False).encode())


def html(status: int, text: str = "Cannot GET /v1/nothing") -> Response:
    """An HTML page, as an unknown route or a gateway sends."""
    body = f"<!DOCTYPE html>\n<html><head><title>Error</title></head>\n<body>\n<pre>{text}</pre></body></html>"
    return Response(status, HTML, body.encode())
