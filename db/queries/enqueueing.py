"""Rows put in by Python services, with their task, in the caller's transaction."""

from collections.abc import Mapping, Sequence
from typing import Any

from psycopg import Connection
from psycopg.types.json import Jsonb


def take_key(connection: Connection, key: str) -> tuple[str, str] | None:
    """Claim an idempotency key for the job about to be inserted; give the job it names when it is taken.

    Waits for another transaction that is just claiming the same key. Locks: the key.
    """
    taken = connection.execute(
        "INSERT INTO worker.enqueue_keys (key, job_table, job_id) VALUES (%s, '', '') ON CONFLICT (key) DO NOTHING",
        (key,),
    )
    if taken.rowcount:
        return None
    row = connection.execute("SELECT job_table, job_id FROM worker.enqueue_keys WHERE key = %s", (key,)).fetchone()
    return (row[0], row[1]) if row else None


def name_key(connection: Connection, key: str, job_table: str, job_id: str) -> None:
    """Let a claimed key name its job. Locks: the key."""
    connection.execute(
        "UPDATE worker.enqueue_keys SET job_table = %s, job_id = %s WHERE key = %s", (job_table, job_id, key)
    )


def insert_scraping_job(
    connection: Connection,
    *,
    user_id: str,
    platform: str,
    keywords: Sequence[str] | None,
    target_username: str | None,
    target_results: int,
    region: str,
    campaign_id: str | None,
    search_params: Mapping[str, Any] | None,
) -> tuple[str, str | None]:
    """Insert a row and, where its lane is there already, its task; give the job's id and lane.

    Without a lane adoption makes the task, as for rows of other services. Locks: the new rows.
    """
    row = connection.execute(
        """
        WITH job AS (
            INSERT INTO public.scraping_jobs (user_id, platform, keywords, target_username, target_results, region,
                                              campaign_id, search_params, created_at, updated_at)
            VALUES (%(user_id)s, %(platform)s, %(keywords)s, %(target_username)s, %(target_results)s, %(region)s,
                    %(campaign_id)s::uuid, %(search_params)s, worker.utc_now(), worker.utc_now())
            RETURNING id, user_id, platform),
        task AS (
            INSERT INTO worker.tasks (job_table, job_id, lane, tenant, state)
            SELECT 'scraping_jobs', job.id::text, n.lane, job.user_id, 'ready'
              FROM job JOIN worker.lanes n ON n.lane = 'scrape.' || lower(btrim(job.platform))
            RETURNING lane)
        SELECT job.id::text, (SELECT lane FROM task) FROM job
        """,
        {
            "user_id": user_id,
            "platform": platform,
            "keywords": Jsonb(list(keywords)) if keywords is not None else None,
            "target_username": target_username,
            "target_results": target_results,
            "region": region,
            "campaign_id": campaign_id,
            "search_params": Jsonb(dict(search_params)) if search_params is not None else None,
        },
    ).fetchone()
    assert row is not None  # noqa: S101 - the insert gives its row
    return row[0], row[1]
