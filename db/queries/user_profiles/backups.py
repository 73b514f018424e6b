"""The backup that a move is made from: a table of schema ``worker`` with all columns of the older one and some of ours.

Ours begin with ``trawler_``. The comment of the table says whether its move is finished.
"""

from collections.abc import Mapping
from typing import Final

from psycopg import Connection
from psycopg.rows import class_row
from psycopg.sql import SQL, Identifier, Literal

from db.queries.user_profiles.older_table import Source, columns_of, document, own_columns

MARK: Final = "Backup of public.user_profiles by ops migrate-user-profiles"
UNFINISHED: Final = f"{MARK}; the move is not finished"
FINISHED: Final = f"{MARK}; the move is finished"

_ONE_AT_A_TIME: Final = 7_262_201_125
"""Key of the transaction-level advisory lock: a transaction pooler keeps no others."""


def one_at_a_time(connection: Connection) -> None:
    """Wait until no other run is in a transaction of its own. Locks: an advisory one, until the transaction ends."""
    connection.execute("SELECT pg_advisory_xact_lock(%s)", (_ONE_AT_A_TIME,))


def unfinished_backup(connection: Connection) -> str | None:
    """Name of the newest backup whose move is not finished. No locks. Plan: the catalog."""
    row = connection.execute(
        "SELECT relname FROM pg_class WHERE relnamespace = 'worker'::regnamespace AND relkind = 'r'"
        "   AND obj_description(oid, 'pg_class') = %s ORDER BY oid DESC LIMIT 1",
        (UNFINISHED,),
    ).fetchone()
    return row[0] if row else None


def make_backup(connection: Connection, name: str, columns: Mapping[str, str]) -> None:
    """Copy the older table, with a number, the size and the count of twins of each row.

    Raises `psycopg.errors.DuplicateTable` when there is such a table. Locks: ACCESS SHARE on the older table. Plan: a
    scan and two sorts.
    """
    table = Identifier("worker", name)
    connection.execute(
        SQL(
            "CREATE TABLE {} AS SELECT {}, NULL::text AS trawler_result, NULL::text AS trawler_reason,"
            " NULL::text[] AS trawler_made, p.* FROM public.user_profiles p"
        ).format(table, own_columns(columns))
    )
    connection.execute(SQL("ALTER TABLE {} ADD PRIMARY KEY (trawler_row)").format(table))
    connection.execute(SQL("COMMENT ON TABLE {} IS {}").format(table, Literal(UNFINISHED)))
    connection.execute(SQL("ANALYZE {}").format(table))


def read_backup(
    connection: Connection, name: str, known: Mapping[str, str], after: int, largest: int, rows: int, most_bytes: int
) -> list[Source]:
    """Rows of a backup beyond a number: at most ``rows``, and no more than ``most_bytes`` but for the first.

    No locks. Plan: the primary key.
    """
    statement = SQL(
        "SELECT {} FROM (SELECT *, sum(trawler_size) OVER (ORDER BY trawler_row) - trawler_size AS before"
        "                  FROM (SELECT * FROM {} WHERE trawler_row > %s ORDER BY trawler_row LIMIT %s) o) b"
        " WHERE b.before < %s ORDER BY b.trawler_row"
    ).format(document(known, largest), Identifier("worker", name))
    with connection.cursor(row_factory=class_row(Source)) as cursor:
        return cursor.execute(statement, (after, rows, most_bytes)).fetchall()


def finish(connection: Connection, name: str) -> None:
    """Say of a backup that its move is finished. Locks: SHARE UPDATE EXCLUSIVE on it."""
    connection.execute(SQL("COMMENT ON TABLE {} IS {}").format(Identifier("worker", name), Literal(FINISHED)))


def restore_statement(connection: Connection, name: str) -> str:
    """SQL that puts the rows of a backup into an empty ``user_profiles``. No locks. Plan: the catalog."""
    columns = [name for name in columns_of(connection, f"worker.{name}") if not name.startswith("trawler_")]
    names = SQL(", ").join(map(Identifier, columns))
    return (
        SQL("INSERT INTO public.user_profiles ({0}) SELECT {0} FROM {1} ORDER BY trawler_row")
        .format(names, Identifier("worker", name))
        .as_string(connection)
    )
