"""What JSON may hold that Postgres cannot keep: found before a statement fails on it."""

import math
from typing import Any, Final

DEEPEST: Final = 32
"""Levels of objects and arrays in each other."""


def misfit(body: Any) -> tuple[str, str] | None:
    """JSON pointer and matter of the first value that cannot be stored; None when all can.

    Without recursion, as the depth is the sender's choice.
    """
    waiting: list[tuple[str, Any, int]] = [("", body, 0)]
    while waiting:
        pointer, value, depth = waiting.pop()
        if depth > DEEPEST:
            return pointer, f"is nested deeper than {DEEPEST} levels"
        if isinstance(value, str):
            if wrong := _of_text(value):
                return pointer, wrong
        elif isinstance(value, float):
            if not math.isfinite(value):
                return pointer, "is a number without end or none at all; expected a finite one"
        elif isinstance(value, dict):
            for name, one in value.items():
                if wrong := _of_text(name):
                    return pointer, f"has a name that {wrong}"
                waiting.append((f"{pointer}/{escaped(name)}", one, depth + 1))
        elif isinstance(value, list):
            waiting += [(f"{pointer}/{place}", one, depth + 1) for place, one in enumerate(value)]
    return None


def escaped(name: str) -> str:
    """A name as a part of a JSON pointer."""
    return name.replace("~", "~0").replace("/", "~1")


def _of_text(text: str) -> str | None:
    if "\x00" in text:
        return "holds the character NUL; expected text without it"
    try:
        text.encode()
    except UnicodeEncodeError:
        return "holds half a surrogate pair; expected whole characters"
    return None
