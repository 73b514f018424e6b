"""The older ``user_profiles`` table, which is only read: its columns, and its rows as JSON documents.

A backup of it has the same columns and some of ours, which begin with ``trawler_``, so both are read the same way.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from psycopg import Connection
from psycopg.rows import class_row
from psycopg.sql import SQL, Composed, Identifier, Literal

OLDER: Final = "public.user_profiles"


@dataclass(frozen=True, slots=True)
class Source:
    """One row of the older table. ``document`` is None when the row is too large to be fetched."""

    number: int
    size: int
    twins: int
    customer_twins: int
    taken_at: datetime
    document: dict[str, Any] | None


def demand_all_rows(connection: Connection) -> None:
    """Until the transaction ends, a policy of Row Level Security that would hide rows is an error. No locks."""
    connection.execute("SET LOCAL row_security TO off")


def columns_of(connection: Connection, table: str) -> dict[str, str]:
    """Name and type of a table's columns; empty when there is no such table. No locks. Plan: the catalog."""
    return dict(
        connection.execute(
            "SELECT attname, format_type(atttypid, NULL) FROM pg_attribute"
            " WHERE attrelid = to_regclass(%s) AND attnum > 0 AND NOT attisdropped ORDER BY attnum",
            (table,),
        ).fetchall()
    )


def values_in(connection: Connection, table: Identifier, columns: Sequence[str]) -> dict[str, int]:
    """How many rows have a value in each of these columns. Locks: ACCESS SHARE. Plan: a scan."""
    if not columns:
        return {}
    counts = SQL(", ").join(SQL("count({})").format(Identifier(column)) for column in columns)
    row = connection.execute(SQL("SELECT {} FROM {}").format(counts, table)).fetchone()
    return dict(zip(columns, row or (), strict=True))


def read_live(
    connection: Connection, columns: Mapping[str, str], known: Mapping[str, str], largest: int, rows: int
) -> Iterator[list[Source]]:
    """The older table itself, so many rows at a time, by a server-side cursor; to be used in a transaction.

    Locks: ACCESS SHARE on the older table. Plan: a scan and two sorts.
    """
    statement = SQL("SELECT {} FROM (SELECT {}, p.* FROM public.user_profiles p) b").format(
        document(known, largest), own_columns(columns)
    )
    with connection.cursor("user_profiles", row_factory=class_row(Source)) as cursor:
        cursor.execute(statement)
        while batch := cursor.fetchmany(rows):
            yield batch


def own_columns(columns: Mapping[str, str]) -> Composed:
    """What the backup has of its own of each row ``p``: number, size, and in how many rows its keys are."""
    customers = (
        SQL(
            "CASE WHEN coalesce(p.stripe_customer_id::text, '') = '' THEN 1"
            " ELSE count(*) OVER (PARTITION BY p.stripe_customer_id) END"
        )
        if "stripe_customer_id" in columns
        else SQL("1")
    )
    return SQL(
        "row_number() OVER (ORDER BY p.user_id) AS trawler_row, octet_length(p::text) AS trawler_size,"
        " count(*) OVER (PARTITION BY p.user_id) AS trawler_twins, {} AS trawler_customer_twins,"
        " worker.utc_now() AS trawler_taken_at"
    ).format(customers)


def document(known: Mapping[str, str], largest: int) -> Composed:
    """The fields of `Source` of each row ``b``; no document of a row of more than ``largest`` bytes."""
    # JSON spells times the same way whatever the session's DateStyle; a JSON column goes as text, to lose no digit.
    fields = SQL(", ").join(
        SQL("{}{} AS {}").format(
            Identifier("b", name), SQL("::text" if kind in ("json", "jsonb") else ""), Identifier(name)
        )
        for name, kind in known.items()
    )
    return SQL(
        "b.trawler_row AS number, b.trawler_size AS size, b.trawler_twins AS twins,"
        " b.trawler_customer_twins AS customer_twins, b.trawler_taken_at AS taken_at,"
        " CASE WHEN b.trawler_size <= {} THEN (SELECT row_to_json(k) FROM (SELECT {}) k) END AS document"
    ).format(Literal(largest), fields)
