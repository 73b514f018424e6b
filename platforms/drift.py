"""The shape of a provider's answers, what of it is usual, and how far an answer departs from that. Pure.

A *path* names a place in an answer, e.g. ``search_item_list[].aweme_info.author.uid``; ``[]`` is any element of a list.
A shape counts, for each path, in how many of its parents it is there, how often it is null, and of which type it is.
What stands once in an answer is judged only when several answers are put together.
"""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

import msgspec

SAMPLED: Final = 12
"""Elements looked at of a list, spread evenly."""

SAMPLED_INSIDE: Final = 3
"""The same of a list inside another."""

DEEPEST: Final = 8
MOST_PATHS: Final = 800
MOST_KEYS: Final = 80
"""An object with more keys is a map whose keys tell nothing."""

ENOUGH: Final = 5
"""Parents that a sample must hold before anything is said of what they lack."""

KNOWN: Final = 10
"""The same of what is usual."""

REMEMBERED: Final = 2_000
"""Parents after which what is usual counts half, so that it follows slow changes."""

USUAL, RARE, JUMP = 0.9, 0.5, 0.5
_TYPES: Final = {bool: "boolean", int: "number", float: "number", str: "text", dict: "object", list: "list"}


class Change(StrEnum):
    """How a path departs from what is usual."""

    NEW = "new"
    VANISHED = "vanished"
    NULLED = "nulled"
    RETYPED = "retyped"


class Seen(msgspec.Struct):
    """How often a path was there; ``objects`` says how often it was an object itself, and so a parent."""

    present: float = 0
    null: float = 0
    types: dict[str, float] = {}


class Shape(msgspec.Struct):
    """The counts of all paths, and how many objects stood at each parent's place ("" is the answer itself)."""

    parents: dict[str, float] = {}
    paths: dict[str, Seen] = {}

    @property
    def weight(self) -> float:
        """How much was counted: parents at the place that had most."""
        return max(self.parents.values(), default=0)


@dataclass(frozen=True, slots=True)
class Departure:
    """One path that is not as usual, with a sentence part for people."""

    path: str
    change: Change
    told: str
    required: bool

    def __str__(self) -> str:
        return f"{self.path} {self.told}"


def shape_of(document: Any) -> Shape:
    """The shape of one decoded answer."""
    shape = Shape()
    _count(shape, "", document, 0)
    return shape


def merged(one: Shape, other: Shape) -> Shape:
    """Both counted together; the first counts half where it is long."""
    weight = 0.5 if one.weight > REMEMBERED else 1.0
    parents = {path: count * weight for path, count in one.parents.items()}
    for path, count in other.parents.items():
        parents[path] = parents.get(path, 0) + count
    paths = {path: _scaled(seen, weight) for path, seen in one.paths.items()}
    for path, seen in other.paths.items():
        if path in paths or len(paths) < MOST_PATHS:
            paths[path] = _added(paths.get(path, Seen()), seen)
    return Shape(parents, paths)


def enough(sample: Shape, required: Iterable[str]) -> bool:
    """Whether a sample says anything about what is required, or where nothing is, about answers as such."""
    needed = {ancestor for path in required for ancestor in _ancestors(path)}
    return max((_chances(sample, path) for path in needed), default=sample.parents.get("", 0)) >= ENOUGH


def departures(usual: Shape, sample: Shape, required: Iterable[str] = ()) -> list[Departure]:
    """How a sample departs from what is usual. ``required`` are paths that the reader cannot do without."""
    needed = {ancestor for path in required for ancestor in _ancestors(path)}
    found = []
    for path, seen in usual.paths.items():
        usual_of, of = _chances(usual, path), _chances(sample, path)
        if usual_of < KNOWN or of < ENOUGH:
            continue
        told = _departure(seen, usual_of, sample.paths.get(path, Seen()), of, path in needed)
        if told is not None:
            found.append(Departure(path, *told, path in needed))
    # Below a new object all is new; the object tells it.
    found += [
        Departure(path, Change.NEW, "is new", required=False)
        for path in sample.paths.keys() - usual.paths.keys()
        if usual.parents.get(_parent(path), 0) >= KNOWN and len(usual.paths) < MOST_PATHS
    ]
    return sorted(found, key=lambda one: (not one.required, one.path))


def fingerprint(found: Iterable[Departure]) -> str:
    """The same for the same departures."""
    told = sorted((one.path, one.change.value) for one in found)
    return hashlib.sha256(msgspec.json.encode(told)).hexdigest()[:16]


def _departure(usual: Seen, usual_of: float, seen: Seen, of: float, required: bool) -> tuple[Change, str] | None:
    before, now = usual.present / usual_of, seen.present / of
    # What was there in a part of the parents only is missed when its absence is no chance.
    missed = seen.present == 0 and (1 - before) ** of < 0.001
    if missed or (required and before >= USUAL and now <= RARE):
        return Change.VANISHED, f"was in {before:.0%} and is in {now:.0%}"
    if seen.present == 0:
        return None
    null_before = usual.null / usual.present if usual.present else 0
    null_now = seen.null / seen.present
    if null_now - null_before > JUMP:
        return Change.NULLED, f"was null in {null_before:.0%} and is in {null_now:.0%}"
    values, known = sum(seen.types.values()), sum(usual.types.values())
    expected = {name for name, count in usual.types.items() if count >= known / 20}
    if values >= ENOUGH and known >= KNOWN and sum(seen.types.get(name, 0) for name in expected) <= values * RARE:
        return Change.RETYPED, f"was {_words(expected)} and is {_words(seen.types)}"
    return None


def _count(shape: Shape, path: str, value: Any, depth: int) -> None:
    if depth > DEEPEST or len(shape.paths) > MOST_PATHS:
        return
    if isinstance(value, dict):
        shape.parents[path] = shape.parents.get(path, 0) + 1
        is_map = len(value) > MOST_KEYS or (bool(value) and all(key.isdigit() for key in value))
        for key, inside in [] if is_map else value.items():
            name = key.replace(".", "_")
            _meet(shape, f"{path}.{name}" if path else name, inside)
            _count(shape, f"{path}.{name}" if path else name, inside, depth + 1)
    elif isinstance(value, list):
        for element in _spread(value, SAMPLED_INSIDE if "[]" in path else SAMPLED):
            _meet(shape, f"{path}[]", element)
            _count(shape, f"{path}[]", element, depth + 1)


def _meet(shape: Shape, path: str, value: Any) -> None:
    seen = shape.paths.get(path)
    if seen is None:
        seen = shape.paths[path] = Seen(types={})
    seen.present += 1
    if value is None:
        seen.null += 1
    else:
        name = _TYPES.get(type(value), "other")
        seen.types[name] = seen.types.get(name, 0) + 1


def _spread(values: list[Any], most: int) -> Iterator[Any]:
    count = min(len(values), most)
    return (values[place * len(values) // count] for place in range(count))


def _chances(shape: Shape, path: str) -> float:
    """How often a path could have been there: an element of a list is always there."""
    if path.endswith("[]"):
        return shape.paths[path].present if path in shape.paths else 0
    return shape.parents.get(_parent(path), 0)


def _parent(path: str) -> str:
    """The object that a path's value is a member of."""
    return path.rpartition(".")[0]


def _ancestors(path: str) -> Iterator[str]:
    """The path and what is around it, up to the element of a list."""
    while path:
        yield path
        if path.endswith("[]"):
            return
        path = _parent(path)


def _scaled(seen: Seen, weight: float) -> Seen:
    return Seen(seen.present * weight, seen.null * weight, {name: count * weight for name, count in seen.types.items()})


def _added(one: Seen, other: Seen) -> Seen:
    names = one.types.keys() | other.types.keys()
    types = {name: one.types.get(name, 0) + other.types.get(name, 0) for name in names}
    return Seen(one.present + other.present, one.null + other.null, types)


def _words(names: Iterable[str]) -> str:
    return " or ".join(sorted(names)) or "nothing"
