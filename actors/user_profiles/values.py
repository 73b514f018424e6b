"""How a JSON value of the older table is read as a field of the five tables, by its SQL type."""

import json
import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

SHOWN: Final = 40
"""Characters of a bad value that a reason repeats. A text is never repeated: it may be a name or an address."""

_NUL: Final = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")
_TRUE: Final = ("true", "t", "yes", "y", "on", "1")
_FALSE: Final = ("false", "f", "no", "n", "off", "0")


class Unreadable(ValueError):
    """A value cannot become its field's; the text says which and why."""


def read(name: str, kind: str, raw: Any) -> Any:
    """A JSON value as a field of this kind. Raises `Unreadable`.

    A time without a zone is UTC; one with a zone becomes UTC. A ``jsonb`` value stays the text it is.
    """
    try:
        return _READERS[kind](raw)
    except (ValueError, OverflowError, RecursionError, TypeError):
        shown = f"{str(raw)[:SHOWN]!r} is" if kind != "jsonb" else "is"
        raise Unreadable(f"{name}: {shown} {_EXPECTED[kind]}") from None


_EXPECTED: Final = {
    "timestamp": "no time that can be read",
    "integer": "no whole number of 32 bits",
    "boolean": "neither true nor false",
    "jsonb": "no JSON that a jsonb column takes",
    "text": "no text",
}


def _text(raw: Any) -> str:
    return raw if isinstance(raw, str) else json.dumps(raw, ensure_ascii=False)


def _timestamp(raw: Any) -> datetime:
    if not isinstance(raw, str):
        raise TypeError
    time = datetime.fromisoformat(raw.strip())
    return time.astimezone(UTC).replace(tzinfo=None) if time.tzinfo else time


def _integer(raw: Any) -> int:
    if isinstance(raw, bool):
        raise TypeError
    number = int(raw) if isinstance(raw, int | str) else raw
    if number != int(number) or not -(2**31) <= number < 2**31:
        raise ValueError
    return int(number)


def _boolean(raw: Any) -> bool:
    word = str(raw).strip().lower()
    if word not in _TRUE + _FALSE:
        raise ValueError
    return word in _TRUE


def _json(raw: Any) -> str:
    text = _text(raw)
    loaded = _DECODER.decode(text)
    if "\\u" in text:
        # Escapes may spell what Postgres cannot hold: a NUL, and half of a pair of surrogates.
        if _NUL.search(text):
            raise ValueError
        _spelled(loaded).encode()
    return text


_READERS: Final = {"text": _text, "timestamp": _timestamp, "integer": _integer, "boolean": _boolean, "jsonb": _json}


def canonical(text: str) -> str:
    """A JSON text in the one spelling of its value. Raises `ValueError` when it is none."""
    return _spelled(_DECODER.decode(text))


def _spelled(value: Any) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False, default=lambda one: str(one.normalize()))


def _refuse(word: str) -> Any:
    raise ValueError(word)


_DECODER: Final = json.JSONDecoder(parse_float=Decimal, parse_int=Decimal, parse_constant=_refuse)
