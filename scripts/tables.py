"""How commands show rows: a table for people, JSON for programs."""

import json
import unicodedata
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

BIDI_CONTROLS = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
SHORT = 20
"""Characters that are never folded, but in columns of free text."""

TEXTS = ("detail", "held back", "reason", "value", "why", "word")

console = Console(highlight=False)


def show_json(value: Any) -> None:
    """Print any value as JSON; dates as ISO text, what JSON lacks as text."""
    print(json.dumps(value, indent=2, ensure_ascii=False, default=_json))


def counted(number: int, what: str) -> str:
    """How many of something there are, as in ``1 job`` and ``2 jobs``."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def show_table(title: str, rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> None:
    """Print rows as a table; an empty one says so in a line."""
    if not rows:
        console.print(f"{title}: none")
        return
    console.print(make_table(title, rows, columns))


def make_table(title: str, rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> Table:
    """The rows, of which there are some, as a table."""
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    texts = [[plain(_text(row[column])) for column in columns] for row in rows]
    heads = [column.replace("_", " ") for column in columns]
    whole = [
        column == "id" or (column not in TEXTS and max(len(text[place]) for text in texts) <= SHORT)
        for place, column in enumerate(columns)
    ]
    widest = [max(len(heads[place]), *(len(text[place]) for text in texts)) for place in range(len(columns))]
    # What is neither folded nor fits is cut, so that in a narrow terminal everything is folded but ids.
    fits = sum(width + 3 for width, one in zip(widest, whole, strict=True) if one) <= console.width
    for place, column in enumerate(columns):
        numeric = all(isinstance(row[column], int | float) for row in rows)
        table.add_column(
            heads[place],
            justify="right" if numeric else "left",
            overflow="fold",
            # Only long texts are folded: a broken name or number is hard to read and impossible to copy.
            no_wrap=whole[place] and (fits or column == "id"),
        )
    for text in texts:
        table.add_row(*text)
    return table


def plain(text: str) -> str:
    """A text of others as ``console.print`` shows it literally: no markup, no control codes."""
    return escape(printable(text))


def printable(text: str) -> str:
    """The text without control codes: what others wrote into a row must not steer the terminal."""
    return "".join("\N{REPLACEMENT CHARACTER}" if _steers(character) else character for character in text)


def _json(value: Any) -> Any:
    return float(value) if isinstance(value, Decimal) else str(value)


def _steers(character: str) -> bool:
    return character not in "\n\t" and (unicodedata.category(character) == "Cc" or character in BIDI_CONTROLS)


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, list | dict):
        return json.dumps(value, ensure_ascii=False, default=_json)
    if isinstance(value, datetime):
        # The application's times have no zone and are UTC; ours are shown the same way.
        return (value.astimezone(UTC) if value.tzinfo else value).strftime("%Y-%m-%d %H:%M:%S")
    if isinstance(value, float):
        return f"{value:g}"
    return str(value)
