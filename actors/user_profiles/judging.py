"""What is to become of rows of the older table: moved, completed, kept or skipped, and why."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from psycopg import Connection

from actors.user_profiles.fields import MOST_INDEXED_BYTES, Row, Rules, read_parts
from actors.user_profiles.values import Unreadable
from db.queries.user_profiles import five_tables
from db.queries.user_profiles.five_tables import TABLES, Existing
from db.queries.user_profiles.older_table import Source

LARGEST_ROW: Final = 200_000
"""Bytes of a row's text; a larger one is skipped."""

MOVED, COMPLETED, KEPT, SKIPPED = "moved", "completed", "kept", "skipped"


@dataclass(frozen=True, slots=True)
class Readable:
    """A row whose values can all be moved."""

    number: int
    user_id: str
    parts: Mapping[str, Row]

    @property
    def customer(self) -> str | None:
        """Its Stripe customer id."""
        customer: str | None = self.parts["user_billing"]["stripe_customer_id"]
        return customer


def read_source(source: Source, rules: Rules) -> Readable:
    """The row with its values read, looked at by itself. Raises `Unreadable` with the reason to skip it."""
    if source.document is None:
        raise Unreadable(f"the row: {source.size:,} bytes; the most is {LARGEST_ROW:,}")
    user_id = source.document["user_id"]
    if user_id is None or not str(user_id).strip():
        raise Unreadable("user_id: empty")
    if str(user_id) != str(user_id).strip():
        raise Unreadable("user_id: spaces before or after it")
    if (size := len(str(user_id).encode())) > MOST_INDEXED_BYTES:
        raise Unreadable(f"user_id: {size:,} bytes; its index takes {MOST_INDEXED_BYTES:,}")
    if source.twins > 1:
        raise Unreadable(f"user_id: {source.twins} rows have it")
    parts = read_parts(source.document, source.taken_at, rules)
    if source.customer_twins > 1:
        raise Unreadable(f"stripe_customer_id: {source.customer_twins} rows have it")
    return Readable(source.number, str(user_id), parts)


def read_sources(sources: Sequence[Source], rules: Rules) -> tuple[list[Readable], dict[int, str]]:
    """The rows that can be read, and the reason of each other one by its number."""
    readable, reasons = [], {}
    for source in sources:
        try:
            readable.append(read_source(source, rules))
        except Unreadable as error:
            reasons[source.number] = str(error)
    return readable, reasons


def taken_customers(connection: Connection, readable: Sequence[Readable]) -> dict[int, str]:
    """The reason of each row whose Stripe customer another user has, by its number."""
    owners = five_tables.owners_of_customers(connection, [one.customer for one in readable if one.customer])
    return {
        one.number: f"stripe_customer_id: user_billing has it for {owners[one.customer]}"
        for one in readable
        if one.customer in owners and owners[one.customer] != one.user_id
    }


def missing_of(one: Readable, users: Mapping[str, Existing]) -> list[str]:
    """The tables that have no row of this user."""
    known = users.get(one.user_id)
    return list(TABLES) if known is None else known.missing


def verdict(made: Sequence[str]) -> str:
    """What became of a row of which the move made rows in these tables."""
    return KEPT if not made else MOVED if len(made) == len(TABLES) else COMPLETED
