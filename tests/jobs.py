"""Rows as other services put them in, and what became of them."""

import json
from typing import Any

import psycopg


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


def job(connection: psycopg.Connection, job_id: str) -> dict[str, Any]:
    """The row as the application reads it."""
    return _one(connection, "SELECT * FROM scraping_jobs WHERE id = %s::uuid", job_id)


def task(connection: psycopg.Connection, job_id: str) -> dict[str, Any]:
    """The engine's record of a job."""
    return _one(connection, "SELECT * FROM worker.tasks WHERE job_id = %s", job_id)


def stored_creators(connection: psycopg.Connection, job_id: str) -> list[dict[str, Any]]:
    """Every creator stored for a job, batch after batch."""
    rows = connection.execute(
        "SELECT creators FROM scraping_results WHERE job_id = %s::uuid ORDER BY created_at, id", (job_id,)
    ).fetchall()
    return [creator for (batch,) in rows for creator in batch]


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
    ids = [creator["creator"]["id"] for creator in creators]
    assert len(ids) == len(set(ids)), "a creator is stored twice"
    assert row["processed_results"] == len(creators) == sum(stored for _, stored in pages)
    assert row["processed_runs"] == len(pages)
    assert [seq for seq, _ in pages] == list(range(1, len(pages) + 1))


def _one(connection: psycopg.Connection, statement: str, key: str) -> dict[str, Any]:
    with connection.cursor(row_factory=psycopg.rows.dict_row) as cursor:
        found = cursor.execute(statement.encode(), (key,)).fetchone()
    assert found is not None, f"no row for {key}"
    return found
