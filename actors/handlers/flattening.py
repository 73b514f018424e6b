"""Creators as rows of a table: nested keys become columns, joined by dots; pure."""

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, BinaryIO, Final, TypeAlias

import msgspec

Cell: TypeAlias = str | int | float | bool | None

FIRST: Final = (
    "platform",
    "creator.id",
    "creator.name",
    "creator.uniqueId",
    "creator.followers",
    "creator.verified",
    "creator.bio",
    "creator.emails",
    "creator.avatarUrl",
    "video.url",
    "video.description",
    "video.statistics.likes",
    "video.statistics.comments",
    "video.statistics.views",
    "video.statistics.shares",
    "hashtags",
)
"""Columns that every table has, in this order; all other keys that occur follow by name."""

FORMULA: Final = tuple("=+-@\t\r\n＝＋－＠")
"""What a cell begins with that a spreadsheet would run (OWASP, "CSV Injection")."""

SEPARATOR: Final = "; "


def flat(creator: bytes) -> dict[str, Cell]:
    """One creator (JSON text) by column. A list of plain values is joined, any other list is JSON text."""
    decoded = msgspec.json.decode(creator)
    found: dict[str, Cell] = {}
    _flatten(found, "", decoded if isinstance(decoded, dict) else {"value": decoded})
    return found


def _flatten(found: dict[str, Cell], prefix: str, value: Mapping[str, Any]) -> None:
    for key, one in value.items():
        if isinstance(one, dict):
            _flatten(found, f"{prefix}{key}.", one)
        elif isinstance(one, list):
            plain = all(isinstance(each, str | int | float) for each in one)
            found[prefix + key] = SEPARATOR.join(map(str, one)) if plain else json.dumps(one, ensure_ascii=False)
        else:
            found[prefix + key] = one


def columns_of(keys: Iterable[str]) -> list[str]:
    """The columns of a table in which these keys occur: the same keys give the same columns in the same order."""
    return [*FIRST, *sorted(set(keys) - set(FIRST))]


def guarded(cell: Cell) -> Cell:
    """The cell as no spreadsheet runs it: a text that begins like a formula gets an apostrophe before it."""
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(FORMULA) else cell


def write_csv(lines: Iterable[bytes], columns: Sequence[str], file: BinaryIO) -> None:
    """Write a header and one row a creator (JSON text), as UTF-8 by RFC 4180."""
    text = io.TextIOWrapper(file, encoding="utf-8", newline="", write_through=False)
    writer = csv.writer(text)
    writer.writerow([guarded(column) for column in columns])
    writer.writerows(_rows(lines, columns))
    text.detach()


def _rows(lines: Iterable[bytes], columns: Sequence[str]) -> Iterator[list[Cell]]:
    for line in lines:
        cells = flat(line)
        yield [_shown(cells.get(column)) for column in columns]


def _shown(cell: Cell) -> Cell:
    if isinstance(cell, bool):
        return "true" if cell else "false"
    return guarded(cell)
