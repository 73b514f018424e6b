"""Which call is answered wrongly, and how: the plan that tests write through the control endpoints."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Literal

import msgspec


class FaultKind(StrEnum):
    """Every way an answer can go wrong; docs/simulator.md has the table."""

    STATUS = "status"
    HTML = "html"
    CUT_JSON = "cut_json"
    HUGE = "huge"
    HANG = "hang"
    DROP = "drop"
    NUL_AND_SURROGATES = "nul_and_surrogates"
    MISSING_LIST = "missing_list"
    EMPTY_LIST = "empty_list"
    WRONG_SHAPE = "wrong_shape"
    BAD_ITEMS = "bad_items"
    REPEAT_CURSOR = "repeat_cursor"
    NULLS = "nulls"
    MANY_ITEMS = "many_items"
    GATE = "gate"
    SLOW = "slow"
    EMPTY = "empty"
    DUPLICATES = "duplicates"
    RATE_LIMITED = "rate_limited"
    QUOTA_GONE = "quota_gone"
    BALANCE_GONE = "balance_gone"
    BAD_KEY = "bad_key"
    EXPIRED_CURSOR = "expired_cursor"
    RUN_ENDS = "run_ends"


class Fault(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One wish: which calls, which fault, how often, and what some kinds need to know."""

    path: str
    """An endpoint's path as the table has it, or what the paths begin with where it ends in ``*``."""
    kind: FaultKind
    match: dict[str, str] = {}
    """Parameters, plain values of the body or parts of the path that must be equal; others are free."""
    times: int | None = None
    """How many calls it spoils; None for all of them."""
    after: int = 0
    """How many matching calls pass unharmed first."""
    status: int = 500
    body: Any = None
    """For ``status``: an object is sent as JSON, text as it is; None gives a plain body of the provider's kind."""
    headers: dict[str, str] = {}
    bytes: int = 300_000_000
    """For ``huge``: how long the body is."""
    items: int = 10_000
    """For ``many_items``: how many items the page holds."""
    shape: Literal["object", "numbers"] = "object"
    """For ``wrong_shape``: the list is an object, or its items are numbers."""
    retry_after: int | Literal["date"] | None = None
    """For ``rate_limited``: the seconds it tells, a date some seconds ahead, or nothing."""
    seconds: float = 1.0
    """For ``slow``: how long the body takes."""
    state: Literal["FAILED", "TIMED-OUT", "ABORTED"] = "FAILED"
    """For ``run_ends``: how the run that is started here ends, with half of its results."""

    def covers(self, path: str) -> bool:
        """Whether it is meant for this endpoint."""
        return path.startswith(self.path[:-1]) if self.path.endswith("*") else path == self.path


class _Planned:
    def __init__(self, fault: Fault) -> None:
        self.fault = fault
        self.seen = 0
        self.used = 0

    def matches(self, path: str, params: Mapping[str, str]) -> bool:
        wanted = self.fault.match.items()
        return self.fault.covers(path) and all(params.get(name) == value for name, value in wanted)

    def is_due(self) -> bool:
        return self.seen > self.fault.after and (self.fault.times is None or self.used < self.fault.times)


class FaultPlan:
    """The faults in the order they were planned. Each counts the calls that match it; the first due is applied."""

    def __init__(self) -> None:
        self._planned: list[_Planned] = []

    def add(self, fault: Fault) -> None:
        """Plan one more."""
        self._planned.append(_Planned(fault))

    def clear(self) -> None:
        """Plan nothing."""
        self._planned.clear()

    def take(self, path: str, params: Mapping[str, str]) -> Fault | None:
        """The fault of this call, None for a good answer. Counts the call."""
        matching = [planned for planned in self._planned if planned.matches(path, params)]
        for planned in matching:
            planned.seen += 1
        due = next((planned for planned in matching if planned.is_due()), None)
        if due is None:
            return None
        due.used += 1
        return due.fault
