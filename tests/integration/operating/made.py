"""Jobs of every table that ended, as an operator finds them."""

from typing import Any

import psycopg

from tests.jobs import background_job, insert_background_job, insert_job, job
from tests.searches import insert_search, search

TABLES = ("scraping_jobs", "background_jobs", "search_jobs")
LANES = {"scraping_jobs": "scrape.tiktok", "background_jobs": "job.noop", "search_jobs": "search.tiktok"}
ENDED = {"scraping_jobs": "error", "background_jobs": "failed", "search_jobs": "error"}
WAITING = {"scraping_jobs": "pending", "background_jobs": "pending", "search_jobs": "queued"}


def make_lanes(connection: psycopg.Connection) -> None:
    names = [*LANES.values(), "scrape.unroutable", "job.unroutable", "search.unroutable"]
    connection.execute(
        "INSERT INTO worker.lanes (lane, max_running, max_per_tenant) SELECT unnest(%s::text[]), 256, 64", (names,)
    )


def pending(connection: psycopg.Connection, table: str, name: str = "s", **columns: Any) -> str:
    """A row that waits; give the id by which the engine knows it."""
    if table == "scraping_jobs":
        return insert_job(connection, **columns)
    if table == "background_jobs":
        return insert_background_job(connection, "noop", {"userId": "user_1"}, **columns)
    return insert_search(connection, name, **columns)


def ended(connection: psycopg.Connection, table: str, name: str = "s", word: str | None = None, **task: Any) -> str:
    """A row that ended, and its closed task, which has spent all that it had."""
    job_id = pending(connection, table, name)
    connection.execute("DELETE FROM worker.inbox")
    set_row(connection, table, job_id, status=word or ENDED[table])
    columns = {
        "job_table": table,
        "job_id": job_id,
        "lane": LANES[table],
        "tenant": "user_1",
        "state": "closed",
        "closed_at": "-1 min",
        "end_reason": "gave_up",
        "failures": 9,
        "crashes": 2,
        "waits": 199,
        "epoch": 3,
        **({"deadline_at": "-1 min"} if table != "background_jobs" else {}),
        **task,
    }
    names = ", ".join(columns)
    places = ", ".join("clock_timestamp() + %s::interval" if name.endswith("_at") else "%s" for name in columns)
    connection.execute(f"INSERT INTO worker.tasks ({names}) VALUES ({places})".encode(), list(columns.values()))
    return job_id


def set_row(connection: psycopg.Connection, table: str, job_id: str, **columns: Any) -> None:
    """Change a row as the application does."""
    pairs = ", ".join(f"{name} = %s" for name in columns)
    where = "worker.search_key(id) = %s::uuid" if table == "search_jobs" else "id = %s::uuid"
    changed = connection.execute(f"UPDATE {table} SET {pairs} WHERE {where}".encode(), [*columns.values(), job_id])
    assert changed.rowcount == 1


def row(connection: psycopg.Connection, table: str, job_id: str) -> dict[str, Any]:
    """The row as the application reads it."""
    if table == "scraping_jobs":
        return job(connection, job_id)
    if table == "background_jobs":
        return background_job(connection, job_id)
    name = connection.execute("SELECT job_id FROM worker.searches WHERE key = %s::uuid", (job_id,)).fetchone()
    assert name
    return search(connection, name[0])


def actions(connection: psycopg.Connection) -> list[dict[str, Any]]:
    """What the events tell of operators, in order."""
    return [
        data
        for (data,) in connection.execute(
            "SELECT event_data FROM events WHERE event_type = 'admin_action' ORDER BY timestamp, id"
        )
    ]
