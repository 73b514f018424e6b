"""Faults that bend any good answer, found by the endpoint's shape. Each gets a copy and may change it in place."""

from collections.abc import Callable, Iterator
from typing import Any

from platforms.simulator.calls import Call
from platforms.simulator.endpoint import Endpoint, Mutation, Place, Shape
from platforms.simulator.faults import Fault, FaultKind

NUL_MARK, SURROGATE_MARK = "\ue000", "\ue001"
"""Stand for what a Python string cannot carry into an encoder: a JSON escape of NUL and of half a surrogate pair."""

MARKED = f"{NUL_MARK}a{SURROGATE_MARK}"

_NOT_COUNTS = frozenset({"id", "cursor", "min_time", "has_more", "status_code", "credits_remaining", "credits_charged"})


def escape_marks(body: bytes) -> bytes:
    """The encoded answer with the marks turned into the JSON escapes they stand for."""
    return body.replace(NUL_MARK.encode(), b"\\u0000").replace(SURROGATE_MARK.encode(), b"\\ud83d")


def bends_of(endpoint: Endpoint) -> dict[FaultKind, Mutation]:
    """Every fault that bends this endpoint's answers: its own, and those that its shape allows."""
    shape = endpoint.shape
    found: dict[FaultKind, Mutation] = {}
    if shape.shown:
        found[FaultKind.NUL_AND_SURROGATES] = lambda body, _: _marked(body, shape.shown)
        found[FaultKind.NULLS] = lambda body, _: _nulls(body)
    if shape.lists:
        found |= {
            FaultKind.MISSING_LIST: lambda body, _: _each(body, shape, lambda items: None),
            FaultKind.EMPTY_LIST: lambda body, _: _each(body, shape, lambda items: []),
            FaultKind.WRONG_SHAPE: lambda body, fault: _each(body, shape, lambda items: _misshapen(items, fault)),
            FaultKind.DUPLICATES: lambda body, _: _each(body, shape, lambda items: [*items, *items]),
        }
    if shape.who:
        found[FaultKind.BAD_ITEMS] = lambda body, _: _each(body, shape, lambda items: _bad(items, shape.who))
    return {**found, **endpoint.mutations}


def repeated_cursor(body: Any, shape: Shape, call: Call) -> Any:
    """The answer with the marker it was asked by, where it tells one."""
    asked = call.facts.get(shape.asked or "")
    if shape.cursor is None or asked is None:
        return body
    holder = _at(body, shape.cursor[:-1])
    if isinstance(holder, dict):
        old = holder.get(shape.cursor[-1])
        holder[shape.cursor[-1]] = int(asked) if isinstance(old, int) and asked.isdigit() else asked
    return body


def _at(body: Any, place: Place) -> Any:
    for key in place:
        body = body.get(key) if isinstance(body, dict) else None
    return body


def _each(body: Any, shape: Shape, change: Callable[[list[Any]], Any]) -> Any:
    """The answer with each list changed; None leaves the key out."""
    for place in shape.lists:
        items = _at(body, place)
        if not isinstance(items, list):
            continue
        changed = change(items)
        if not place:
            return {} if changed is None else changed
        holder = _at(body, place[:-1])
        if changed is None:
            del holder[place[-1]]
        else:
            holder[place[-1]] = changed
    return body


def _misshapen(items: list[Any], fault: Fault) -> Any:
    if fault.shape == "numbers":
        return list(range(max(1, len(items))))
    return {str(place): item for place, item in enumerate(items)}


def _bad(items: list[Any], who: Place) -> list[Any]:
    """Every third result (the last of fewer) lacks the creator, lacks their id, or is a text, in turn."""
    for turn, place in enumerate(range(max(0, min(2, len(items) - 1)), len(items), 3)):
        holder = _at(items[place], who[:-1])
        if turn % 3 == 2 or not isinstance(holder, dict):
            items[place] = "unavailable"
        elif turn % 3 == 0 and len(who) > 1:
            _at(items[place], who[:-2])[who[-2]] = None
        else:
            holder.pop(who[-1], None)
    return items


def _nulls(body: Any) -> Any:
    """Every count null or text, by turns."""
    turn = 0
    for holder in _objects(body):
        for key, value in holder.items():
            if isinstance(value, int | float) and not isinstance(value, bool) and key not in _NOT_COUNTS:
                turn += 1
                holder[key] = None if turn % 2 else str(value)
    return body


def _marked(body: Any, shown: frozenset[str]) -> Any:
    for holder in list(_objects(body)):
        for key, value in holder.items():
            if key in shown and isinstance(value, str):
                holder[key] = value + MARKED
    return body


def _objects(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for one in list(inner):
        yield from _objects(one)
