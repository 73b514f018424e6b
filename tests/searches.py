"""Searches as other services put them in, and what became of them."""

from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from tests.jobs import one_row


def ask(connection: psycopg.Connection, search: str, **question: Any) -> None:
    """Say what a search asks for, before its row is there."""
    names = ", ".join(["job_id", *question])
    places = ", ".join(["%s"] * (len(question) + 1))
    values = [Jsonb(value) if isinstance(value, list | dict) else value for value in question.values()]
    connection.execute(f"INSERT INTO worker.searches ({names}) VALUES ({places})".encode(), [search, *values])


def insert_search(connection: psycopg.Connection, search: str, **columns: Any) -> str:
    """Insert one row of ``search_jobs`` as any service would; give the UUID by which the engine knows it."""
    row = {"id": search, "platform": "TikTok", "search_type": "keyword", "total_count": 100, **columns}
    names = ", ".join(row)
    places = ", ".join(["%s"] * len(row))
    connection.execute(f"INSERT INTO search_jobs ({names}) VALUES ({places})".encode(), list(row.values()))
    return key_of(connection, search)


def key_of(connection: psycopg.Connection, search: str) -> str:
    """The UUID by which the engine knows a search."""
    found = connection.execute("SELECT worker.search_key(%s)::text", (search,)).fetchone()
    assert found
    return str(found[0])


def insert_campaign(connection: psycopg.Connection, user: str = "user_1") -> str:
    """A campaign of a user; give its id."""
    found = connection.execute(
        "INSERT INTO campaigns (user_id, name, search_type, status) VALUES (%s, 'Lamps', 'keyword', 'active')"
        " RETURNING id::text",
        (user,),
    ).fetchone()
    assert found
    return str(found[0])


def search(connection: psycopg.Connection, search_id: str) -> dict[str, Any]:
    """The row as the application reads it."""
    return one_row(connection, "SELECT * FROM search_jobs WHERE id = %s", search_id)


def search_is_final(connection: psycopg.Connection, search_id: str) -> bool:
    """Whether the application would call the search ended."""
    return search(connection, search_id)["status"] in ("completed", "error", "timeout")


def results(connection: psycopg.Connection, search_id: str) -> list[dict[str, Any]]:
    """Every row stored for a search."""
    with connection.cursor(row_factory=psycopg.rows.dict_row) as cursor:
        return cursor.execute(
            "SELECT * FROM search_results WHERE job_id = %s ORDER BY created_at, id", (search_id,)
        ).fetchall()


def assert_search_is_true(connection: psycopg.Connection, search_id: str) -> None:
    """Row, ledger and results tell the same, and no profile is there twice."""
    row, rows = search(connection, search_id), results(connection, search_id)
    profiles = [one["profile_id"] for one in rows]
    assert len(profiles) == len(set(profiles)), "a profile is stored twice"
    (stored,) = connection.execute(
        "SELECT coalesce(sum(p.stored), 0)::integer FROM worker.pages p JOIN worker.tasks t ON t.id = p.task_id"
        " WHERE t.job_table = 'search_jobs' AND t.job_id = worker.search_key(%s)::text",
        (search_id,),
    ).fetchone()
    assert row["completed_count"] == len(rows) == stored


def events_of(connection: psycopg.Connection, search_id: str) -> list[tuple[str, dict[str, Any]]]:
    """Types and data of the events that were raised of a search, in order."""
    return connection.execute(
        "SELECT event_type, event_data FROM events WHERE aggregate_type = 'search_job' AND aggregate_id = %s"
        " ORDER BY timestamp, id",
        (search_id,),
    ).fetchall()
