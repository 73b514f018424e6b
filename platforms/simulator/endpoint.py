"""What an endpoint and a provider of the simulator are."""

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, ClassVar, TypeAlias

from platforms.simulator.calls import Answer, Call, Good
from platforms.simulator.faults import Fault, FaultKind

Mutation: TypeAlias = Callable[[Any, Fault], Any]
Place: TypeAlias = tuple[str, ...]
"""The way from the top of an answer to a value in it; () is the answer itself."""


BAD_KEY = "bad-key"
"""The one key, token or secret that every provider refuses; any other that is not empty is good."""


class Why(StrEnum):
    """Why a provider refuses a call that is well formed."""

    BAD_KEY = "bad_key"
    TOO_FAST = "too_fast"
    QUOTA = "quota"
    BALANCE = "balance"
    STALE_CURSOR = "stale_cursor"


@dataclass(frozen=True, slots=True)
class Shape:
    """Where an answer holds what faults bend. Left out is what the endpoint does not have."""

    lists: tuple[Place, ...] = ()
    """Its lists of results, the main one first."""
    cursor: Place | None = None
    """The marker of the next page."""
    asked: str | None = None
    """The parameter that asks for a page."""
    who: Place = ()
    """The creator's id within one result."""
    shown: frozenset[str] = frozenset()
    """Keys of texts that people wrote."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One endpoint: a path (below the provider's prefix, with names in braces) and what answers it."""

    path: str
    answer: Callable[[Call, str], Good]
    """Takes the call and the account it is made for. Raises `Refused`."""
    method: str = "GET"
    price: int = 1
    shape: Shape = field(default_factory=Shape)
    mutations: Mapping[FaultKind, Mutation] = field(default_factory=dict)
    """Faults of its own, before those that follow from the shape."""
    ready: Callable[[Call], Awaitable[None]] | None = None
    """Waits before the answer is made, where the provider does."""
    bulky: Callable[[Any], Any] | None = None
    """Adds the bulk of a real answer."""
    recorded: str | None = None
    """The first part of the names of its recorded answers."""
    key: Place = ()
    """Of a recorded look-up: the value it is found by, within the answer."""
    keys: tuple[str, ...] = ()
    """The parameters a look-up is asked by."""


class Provider(ABC):
    """One provider: its name, its endpoints, who calls, and the words of its refusals."""

    name: ClassVar[str]
    prefix: ClassVar[str] = ""
    """Where its paths begin on the one server."""
    optional: ClassVar[str] = ""
    """A pattern of what may stand between the prefix and an endpoint's path: the version of the API."""
    prepaid: ClassVar[bool] = False
    """Whether calls are paid from a balance."""

    @property
    @abstractmethod
    def endpoints(self) -> tuple[Endpoint, ...]:
        """All of them."""

    @abstractmethod
    def account_of(self, call: Call) -> str:
        """The key or token the call is made with. Raises `Refused` when there is none, or a bad one."""

    @abstractmethod
    def refusal(self, why: Why, wait: float | None = None) -> Answer:
        """How it refuses; ``wait`` is how many seconds it takes until it would not."""

    @abstractmethod
    def error(self, status: int) -> Answer:
        """The body of a bare error status."""

    @abstractmethod
    def nowhere(self, method: str, path: str) -> Answer:
        """The answer of a path it does not have."""

    def expire(self, what: str) -> bool:
        """Make all that it handed out so far void: ``tokens`` or ``cursors``. False where it hands out none."""
        return False

    def hold_runs(self, hold: bool) -> bool:
        """Keep its runs from ending, or let them. False where it has no runs."""
        return False

    def dressed(self, good: Good, charged: int, balance: int, used: float) -> Good:
        """The answer in its envelope; ``used`` is the part of the day's quota that is gone, 0 to 1."""
        return good
