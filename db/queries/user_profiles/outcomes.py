"""What became of each row of a backup, kept beside it: result, reason, and the tables that the move made rows of."""

import json
from collections.abc import Sequence

from psycopg import Connection
from psycopg.sql import SQL, Identifier


def results_of(connection: Connection, name: str, first: int, last: int) -> dict[int, tuple[str, list[str]]]:
    """What became of a backup's rows, and the tables that the move made rows of; those not looked at are left out.

    No locks. Plan: the primary key.
    """
    statement = SQL(
        "SELECT trawler_row, trawler_result, coalesce(trawler_made, '{{}}') FROM {}"
        " WHERE trawler_row BETWEEN %s AND %s AND trawler_result IS NOT NULL"
    ).format(Identifier("worker", name))
    rows = connection.execute(statement, (first, last)).fetchall()
    return {number: (result, made) for number, result, made in rows}


def put_results(
    connection: Connection, name: str, results: Sequence[tuple[int, str, str | None, Sequence[str]]]
) -> None:
    """Write what became of rows: number, result, reason, tables. Locks: those rows. Plan: the primary key."""
    document = json.dumps([{"n": n, "result": r, "reason": w, "made": list(made)} for n, r, w, made in results])
    connection.execute(
        SQL(
            "UPDATE {} b SET trawler_result = r.result, trawler_reason = r.reason, trawler_made = r.made"
            "  FROM json_to_recordset(%s::json) AS r(n bigint, result text, reason text, made text[])"
            " WHERE b.trawler_row = r.n"
        ).format(Identifier("worker", name)),
        (document,),
    )


def next_row(connection: Connection, name: str) -> tuple[int, int]:
    """The number before the first row that was not looked at, and the number of rows. No locks. Plan: a scan."""
    row = connection.execute(
        SQL(
            "SELECT coalesce(min(trawler_row) FILTER (WHERE trawler_result IS NULL) - 1, count(*)), count(*) FROM {}"
        ).format(Identifier("worker", name))
    ).fetchone()
    assert row is not None  # noqa: S101 - an aggregate without groups has one row
    return row[0], row[1]


def count_results(connection: Connection, name: str) -> dict[str, int]:
    """How many rows of a backup met each result. No locks. Plan: a scan."""
    statement = SQL("SELECT trawler_result, count(*) FROM {} WHERE trawler_result IS NOT NULL GROUP BY 1")
    return dict(connection.execute(statement.format(Identifier("worker", name))).fetchall())


def skipped(connection: Connection, name: str, most: int) -> list[tuple[int, str | None, str]]:
    """Number, Clerk id (its first 100 characters) and reason of rows that were skipped. No locks. Plan: a scan."""
    return connection.execute(
        SQL(
            "SELECT trawler_row, left(user_id::text, 100), trawler_reason FROM {} WHERE trawler_result = 'skipped'"
            " ORDER BY trawler_row LIMIT %s"
        ).format(Identifier("worker", name)),
        (most,),
    ).fetchall()


def count_reasons(connection: Connection, name: str) -> dict[str, int]:
    """How many rows were skipped for each field: the word before the colon of a reason. No locks. Plan: a scan."""
    statement = SQL(
        "SELECT split_part(trawler_reason, ':', 1), count(*) FROM {} WHERE trawler_result = 'skipped' GROUP BY 1"
        " ORDER BY 2 DESC, 1"
    )
    return dict(connection.execute(statement.format(Identifier("worker", name))).fetchall())
