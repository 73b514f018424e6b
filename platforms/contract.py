"""What an adapter gives and what it is given. Pure data and pure functions: no I/O, no database.

A *capability* is (platform, search kind, provider), and an `Adapter` serves one. It reads one or more *sources*: the
provider's endpoints, each with its own way to ask and to read. A job is a set of *walks*, each a way through the pages
of one source; a page may open further walks. The page loop asks the walk's source for a request, sends it through the
transport, lets the source judge and parse the response, and stores what the adapter's ``normalise`` makes of new items.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import Literal, Protocol

from platforms.filters import NO_FILTERS, Filters
from platforms.normalise.facts import Document
from platforms.outcome import Judgement
from platforms.pages import Item, Page, Request, Response, Walk
from platforms.profile import Profile, Provenance


class SearchKind(StrEnum):
    """What a job searches by."""

    KEYWORD = "keyword"
    SIMILAR = "similar"


class StaleCursor(StrEnum):
    """What to do with a saved cursor that is expired, or of another adapter version."""

    CONTINUE = "continue"
    RESTART_AND_DEDUPE = "restart_and_dedupe"
    STOP_PARTIAL = "stop_partial"


@dataclass(frozen=True, slots=True)
class Query:
    """What one job asks for, folded and checked. ``platform`` is lower case; exactly one of the two targets is set."""

    platform: str
    kind: SearchKind
    keywords: tuple[str, ...] = ()
    """Each is a walk of its own. One that begins with ``#`` is a hashtag."""
    target_username: str | None = None
    region: str = "US"
    word_kind: Literal["keyword", "hashtag", "profiles"] = "keyword"
    """What words without ``#`` are: words of a content search, hashtags, or words of a search for accounts."""
    providers: tuple[str, ...] = ()
    """Providers to use, best first; empty leaves it to the settings."""
    dedupe: Literal["creator", "video"] = "creator"
    enrich: Literal["inline", "none"] = "inline"
    max_api_calls: int | None = None
    filters: Filters = NO_FILTERS
    options: Mapping[str, str] = field(default_factory=dict)
    """Search options passed on to the provider as they are, e.g. ``sort_by``, ``date_posted``."""


@dataclass(frozen=True, slots=True)
class Capability:
    """Name and fixed facts of one adapter."""

    platform: str
    kind: SearchKind
    provider: str
    version: int
    cursor_lifetime: timedelta | None
    """How long a saved cursor stays good; None where the provider's cursors do not expire."""
    stale_cursor: StaleCursor


class Endpoint(Protocol):
    """What sources and profile look-ups share: a name for prices and limits, and what an answer means and costs."""

    @property
    def endpoint(self) -> str:
        """Stable name of the endpoint; the ledger, prices and limits go by it."""

    @property
    def credits(self) -> int:
        """What one call costs by the price list, in the provider's unit."""

    def judge(self, response: Response) -> Judgement:
        """What the answer means, by status, headers and error body. Never raises."""

    def charged(self, response: Response) -> int:
        """What an answer cost that is no page (an error, a refusal, another shape). Never raises."""


class Source(Endpoint, Protocol):
    """One endpoint that gives pages."""

    def request(self, query: Query, walk: Walk) -> Request:
        """The call for the walk's next page."""

    def parse(self, response: Response, query: Query, walk: Walk) -> Page:
        """The page in an answer judged ``ok``.

        An item that cannot be read goes to ``unreadable``. Raises `ShapeError` when the whole page has another shape.
        """

    def reread(self, raw: bytes, query: Query, walk: Walk) -> Item | None:
        """One item set aside earlier, read again as a part of the page that ``walk`` asked for.

        None for one that the search must not give (`Page.dropped`). Raises `ShapeError` when it still cannot be read.
        """


class ProfileAdapter(Endpoint, Protocol):
    """Looks creators up; used to enrich thin search results."""

    @property
    def provider(self) -> str:
        """Whose endpoint it is."""

    @property
    def most(self) -> int:
        """How many creators one call can ask for."""

    def wanted(self, item: Item) -> bool:
        """Whether this item's creator can be looked up and is worth it."""

    def request(self, items: Sequence[Item]) -> Request:
        """The call for at most ``most`` creators."""

    def parse(self, response: Response, items: Sequence[Item]) -> tuple[dict[str, Profile], int]:
        """The profiles by `Item.key`, and the cost; a creator asked for and missing is gone.

        Raises `ShapeError` when the answer has another shape.
        """


class Adapter(Protocol):
    """One capability."""

    @property
    def capability(self) -> Capability:
        """Name and fixed facts."""

    @property
    def sources(self) -> Mapping[str, Source]:
        """The endpoints it reads, by the name that walks call them."""

    @property
    def profiles(self) -> ProfileAdapter | None:
        """The look-up that fills what search results lack; None where they lack nothing."""

    def starts(self, query: Query) -> tuple[Walk, ...]:
        """The walks a job begins with, in the order of their turns. Raises `InvalidJob` when it cannot be asked."""

    def normalise(
        self, item: Item, profile: Profile | None, enhancement_status: str, provenance: Provenance
    ) -> Document:
        """The creator JSON of one item, as the application reads it (docs/creator_json.md)."""
