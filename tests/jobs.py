"""Rows as other services put them in, and what became of them."""

import json
from collections.abc import Sequence
from typing import Any

import psycopg

from db.queries.retrying import RETRIED, set_back


def insert_job(connection: psycopg.Connection, **columns: Any) -> str:
    """Insert one scraping job as any service would; give its id."""
    row = {"user_id": "user_1", "platform": "TikTok", "keywords": ["lamp"], "target_results": 100, **columns}
    for name in ("keywords", "search_params"):
        if row.get(name) is not None:
            row[name] = json.dumps(row[name])
    names = ", ".join(row)
    places = ", ".join(["%s"] * len(row))
    inserted = connection.execute(
        f"INSERT INTO scraping_jobs ({names}) VALUES ({places}) RETURNING id::text".encode(), list(row.values())
    ).fetchone()
    assert inserted
    return str(inserted[0])


def insert_background_job(connection: psycopg.Connection, job_type: str, payload: Any = None, **columns: Any) -> str:
    """Insert one background job as any service would; give its id."""
    row = {"job_type": job_type, "payload": json.dumps({} if payload is None else payload), **columns}
    names = ", ".join(row)
    places = ", ".join(["%s"] * len(row))
    inserted = connection.execute(
        f"INSERT INTO background_jobs ({names}) VALUES ({places}) RETURNING id::text".encode(), list(row.values())
    ).fetchone()
    assert inserted
    return str(inserted[0])


def background_job(connection: psycopg.Connection, job_id: str) -> dict[str, Any]:
    """The row as the application reads it, without its payload, which Python may not be able to hold."""
    return one_row(
        connection,
        "SELECT id, job_type, status, qstash_message_id, priority, max_retries, retry_count, scheduled_for, started_at,"
        " completed_at, failed_at, error, result, created_at, updated_at FROM background_jobs WHERE id = %s::uuid",
        job_id,
    )


def background_is_final(connection: psycopg.Connection, job_id: str) -> bool:
    """Whether the application would call the background job ended."""
    return background_job(connection, job_id)["status"] in ("completed", "failed")


def job(connection: psycopg.Connection, job_id: str) -> dict[str, Any]:
    """The row as the application reads it."""
    return one_row(connection, "SELECT * FROM scraping_jobs WHERE id = %s::uuid", job_id)


def task(connection: psycopg.Connection, job_id: str) -> dict[str, Any]:
    """The engine's record of a job."""
    return one_row(connection, "SELECT * FROM worker.tasks WHERE job_id = %s", job_id)


def state(connection: psycopg.Connection, job_id: str) -> str | None:
    """The state of a job's task; None as long as nobody has adopted the row."""
    found = connection.execute("SELECT state FROM worker.tasks WHERE job_id = %s", (job_id,)).fetchone()
    return found[0] if found else None


def stored_creators(connection: psycopg.Connection, job_id: str) -> list[dict[str, Any]]:
    """Every creator stored for a job, batch after batch."""
    rows = connection.execute(
        "SELECT creators FROM scraping_results WHERE job_id = %s::uuid ORDER BY created_at, id", (job_id,)
    ).fetchall()
    return [creator for (batch,) in rows for creator in batch]


def stored_ids(connection: psycopg.Connection, job_id: str) -> list[str]:
    """Ids of the creators stored for a job, in the order they were stored."""
    return [creator["creator"]["id"] for creator in stored_creators(connection, job_id)]


def attempts(connection: psycopg.Connection, job_id: str) -> list[tuple[str, str]]:
    """Outcome and reason of each of a job's slices, in order."""
    return connection.execute(
        "SELECT a.outcome, a.reason FROM worker.attempts a JOIN worker.tasks t ON t.id = a.task_id"
        " WHERE t.job_id = %s ORDER BY a.id",
        (job_id,),
    ).fetchall()


def is_final(connection: psycopg.Connection, job_id: str) -> bool:
    """Whether the application would call the job ended."""
    return job(connection, job_id)["status"] in ("completed", "error", "timeout")


def ledger(connection: psycopg.Connection, job_id: str) -> list[tuple[int, int]]:
    """Page numbers of a job and how many creators each stored."""
    return connection.execute(
        "SELECT p.seq, p.stored FROM worker.pages p JOIN worker.tasks t ON t.id = p.task_id"
        " WHERE t.job_id = %s ORDER BY p.seq",
        (job_id,),
    ).fetchall()


def assert_counters_are_true(connection: psycopg.Connection, job_id: str) -> None:
    """Row, ledger and batches tell the same, and no creator is stored twice."""
    row, creators, pages = job(connection, job_id), stored_creators(connection, job_id), ledger(connection, job_id)
    ids = [creator["creator"]["id"] or creator["creator"]["uniqueId"] for creator in creators]
    assert len(ids) == len(set(ids)), "a creator is stored twice"
    assert row["processed_results"] == len(creators) == sum(stored for _, stored in pages)
    assert row["processed_runs"] == len(pages)
    assert [seq for seq, _ in pages] == list(range(1, len(pages) + 1))


def retry_jobs(connection: psycopg.Connection, job_ids: Sequence[str]) -> set[str]:
    """Set rows that ended back as an operator's retry does, whatever tables they are in; give their ids."""
    return {one.id for table, words in RETRIED.items() for one in set_back(connection, table, job_ids, words)}


def one_row(connection: psycopg.Connection, statement: str, key: str) -> dict[str, Any]:
    """The one row that a statement finds by a key."""
    with connection.cursor(row_factory=psycopg.rows.dict_row) as cursor:
        found = cursor.execute(statement.encode(), (key,)).fetchone()
    assert found is not None, f"no row for {key}"
    return found
