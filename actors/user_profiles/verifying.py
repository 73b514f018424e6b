"""Compares what the five tables hold with what the older rows say: by count and by checksum."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec
from psycopg import Connection

from actors.user_profiles.fields import FIELDS, Row
from actors.user_profiles.judging import Readable
from actors.user_profiles.values import canonical, read
from db.queries.user_profiles import five_tables
from db.queries.user_profiles.five_tables import TABLES
from worker.errors import TrawlerError

NAMED: Final = 5
"""Differences that a message names."""


class Mismatch(TrawlerError):
    """What is stored is not what the older rows say."""

    code = "user_profiles_mismatch"


@dataclass(slots=True)
class Comparison:
    """What was compared: rows of the five tables, and the two checksums over all their fields."""

    rows: dict[str, int] = field(default_factory=lambda: dict.fromkeys(TABLES, 0))
    changed_since: int = 0
    """Rows that somebody has changed, or users that somebody has deleted, since the move: not compared."""
    differences: int = 0
    named: list[str] = field(default_factory=list)
    _expected: Any = field(default_factory=hashlib.sha256)
    _found: Any = field(default_factory=hashlib.sha256)

    @property
    def checksums(self) -> tuple[str, str]:
        """Of what the older rows say, and of what is stored."""
        return self._expected.hexdigest(), self._found.hexdigest()

    @property
    def good(self) -> bool:
        """Whether both are the same."""
        return not self.differences and self._expected.digest() == self._found.digest()

    def add(self, user_id: str, table: str, expected: Row, found: Row | None, problem: str | None = None) -> None:
        """Take one row in."""
        self.rows[table] += 1
        names, ours, theirs = _side_by_side(table, expected, found or expected)
        self._expected.update(_spelled(user_id, table, ours))
        self._found.update(_spelled(user_id, table, None if found is None else theirs))
        if names:
            problem = f"{', '.join(names)} differ"
        if problem:
            self.differ(f"{table} of {user_id}: {problem}")

    def differ(self, what: str) -> None:
        """Take a difference in."""
        self.differences += 1
        if len(self.named) < NAMED:
            self.named.append(what)

    def demand(self) -> None:
        """Raises `Mismatch` when both are not the same."""
        if not self.good:
            more = f" and {self.differences - NAMED} more" if self.differences > NAMED else ""
            raise Mismatch(f"{'; '.join(self.named)}{more}")


def compare(
    connection: Connection,
    rows: Sequence[tuple[Readable, Sequence[str]]],
    into: Comparison,
    *,
    since: bool,
) -> None:
    """Compare the rows that the move made in the tables named beside each, all fields of them.

    With ``since`` the move is some time ago, and the application has its own way with the rows since then.
    """
    users = five_tables.existing(connection, [one.user_id for one, _ in rows], lock=False) if since else None
    for table in TABLES:
        of_table = [one for one, made in rows if table in made]
        found = (
            five_tables.stored(connection, table, FIELDS[table], [one.user_id for one in of_table]) if of_table else {}
        )
        for one in of_table:
            expected, own = one.parts[table], found.get(one.user_id, [])
            if users is not None and (one.user_id not in users or (len(own) == 1 and _changed(expected, own[0]))):
                into.changed_since += 1
            elif len(own) != 1:
                into.add(one.user_id, table, expected, None, f"{len(own)} rows, expected 1")
            else:
                into.add(one.user_id, table, expected, _as_read(table, own[0]))


def _changed(expected: Row, found: Mapping[str, Any]) -> bool:
    """Whoever changes a user's row says when, in ``updated_at``."""
    return bool(read("updated_at", "timestamp", found["updated_at"]) != expected["updated_at"])


def _as_read(table: str, found: Mapping[str, Any]) -> Row:
    return {name: None if value is None else read(name, FIELDS[table][name], value) for name, value in found.items()}


def _side_by_side(table: str, expected: Row, found: Row) -> tuple[list[str], list[Any], list[Any]]:
    """The fields that differ, and the values of both in the order of the fields."""
    names, ours, theirs = [], [], []
    for name, kind in FIELDS[table].items():
        own, other = expected[name], found.get(name)
        if own != other and kind == "jsonb" and own is not None and other is not None:
            # The same value may be spelled otherwise where the older column is a text.
            own, other = canonical(own), canonical(other)
        if own != other:
            names.append(name)
        ours.append(own)
        theirs.append(other)
    return names, ours, theirs


def _spelled(user_id: str, table: str, values: Sequence[Any] | None) -> bytes:
    return msgspec.json.encode([user_id, table, values]) + b"\n"
