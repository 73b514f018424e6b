"""A glance at what was read of a page: does something that always was there seem gone? Cheap enough for every page."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

import msgspec

GLANCED: Final = 5
"""Items of a page that are glanced at."""

KNOWN: Final = 10
"""Items after which it is known what is always there."""

_DEEPEST: Final = 3


class Glance:
    """Remembers of one endpoint which types each field of its items was read with."""

    def __init__(self) -> None:
        self._usual: dict[str, set[str]] = {}
        self._items = 0

    def odd(self, raws: Sequence[Any]) -> bool:
        """Whether some field has, in all items glanced at, a type it never had.

        Everything is odd as long as too little is known.
        """
        seen = _seen(raws)
        return bool(seen) and (
            self._items < KNOWN
            or (
                len(raws) >= GLANCED
                and any(not kinds & self._usual[name] for name, kinds in seen.items() if name in self._usual)
            )
        )

    def learn(self, raws: Sequence[Any]) -> None:
        """Take a page for usual."""
        for name, kinds in _seen(raws).items():
            self._usual.setdefault(name, set()).update(kinds)
        self._items += min(len(raws), GLANCED)


def _seen(raws: Sequence[Any]) -> dict[str, set[str]]:
    seen: dict[str, set[str]] = {}
    for raw in raws[:GLANCED]:
        for name, kind in _kinds(raw, "", 0):
            seen.setdefault(name, set()).add(kind)
    return seen


def _kinds(value: Any, name: str, depth: int) -> Iterator[tuple[str, str]]:
    """Each field's name and the type of its value, fields of fields included."""
    yield name, type(value).__name__
    if isinstance(value, msgspec.Struct) and depth < _DEEPEST:
        for field in value.__struct_fields__:
            yield from _kinds(getattr(value, field), f"{name}.{field}", depth + 1)


def raws_of(items: Iterable[Any]) -> list[Any]:
    """What items were read from, as far as it is typed."""
    return [item.raw for item in items if isinstance(item.raw, msgspec.Struct)]
