"""Rows put in by Python services, with their task, in the caller's transaction."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final, LiteralString
from uuid import uuid4

from psycopg import AsyncConnection, Connection
from psycopg.types.json import Jsonb


@dataclass(frozen=True, slots=True)
class NewScrapingJob:
    """What a service asks for; the columns of the row."""

    user_id: str
    platform: str
    keywords: Sequence[str] | None
    target_username: str | None
    target_results: int
    region: str
    campaign_id: str | None
    search_params: Mapping[str, Any] | None


def insert_scraping_job(connection: Connection, job: NewScrapingJob, key: str | None) -> tuple[str, str | None] | None:
    """Insert a row and, where its lane is there already, its task; give the job's id and lane.

    None when the idempotency key is taken; waits for another transaction that is just taking it. Without a lane
    adoption makes the task, as for rows of other services. One statement, so that it neither commits what the caller
    has not, nor stores a half. Locks: the new rows, the key.
    """
    return connection.execute(
        """
        WITH key AS (
            INSERT INTO worker.enqueue_keys (key, job_table, job_id)
            SELECT %(key)s::text, 'scraping_jobs', %(id)s::text WHERE %(key)s::text IS NOT NULL
            ON CONFLICT (key) DO NOTHING
            RETURNING key),
        job AS (
            INSERT INTO public.scraping_jobs (id, user_id, platform, keywords, target_username, target_results, region,
                                              campaign_id, search_params, created_at, updated_at)
            SELECT %(id)s::uuid, %(user_id)s, %(platform)s, %(keywords)s::jsonb, %(target_username)s,
                   %(target_results)s, %(region)s, %(campaign_id)s::uuid, %(search_params)s::jsonb, worker.utc_now(),
                   worker.utc_now()
             WHERE %(key)s::text IS NULL OR EXISTS (SELECT FROM key)
            RETURNING id, user_id, platform),
        task AS (
            INSERT INTO worker.tasks (job_table, job_id, lane, tenant, state)
            SELECT 'scraping_jobs', job.id::text, n.lane, left(job.user_id, 200), 'ready'
              FROM job JOIN worker.lanes n ON n.lane = 'scrape.' || lower(btrim(job.platform))
            RETURNING lane)
        SELECT job.id::text, (SELECT lane FROM task) FROM job
        """,
        {
            "key": key,
            "id": str(uuid4()),
            "user_id": job.user_id,
            "platform": job.platform,
            "keywords": Jsonb(list(job.keywords)) if job.keywords is not None else None,
            "target_username": job.target_username,
            "target_results": job.target_results,
            "region": job.region,
            "campaign_id": job.campaign_id,
            "search_params": Jsonb(dict(job.search_params)) if job.search_params is not None else None,
        },
    ).fetchone()


def insert_scraping_jobs(connection: Connection, jobs: Sequence[NewScrapingJob]) -> list[str]:
    """Insert many rows and their tasks in one statement; give their ids, in order. Locks: the new rows."""
    ids = [str(uuid4()) for _ in jobs]
    wanted = [{"id": job_id, **asdict(job)} for job_id, job in zip(ids, jobs, strict=True)]
    connection.execute(
        """
        WITH job AS (
            INSERT INTO public.scraping_jobs (id, user_id, platform, keywords, target_username, target_results, region,
                                              campaign_id, search_params, created_at, updated_at)
            SELECT w.id, w.user_id, w.platform, w.keywords, w.target_username, w.target_results, w.region,
                   w.campaign_id, w.search_params, worker.utc_now(), worker.utc_now()
              FROM jsonb_to_recordset(%s) AS w (
                   id uuid, user_id text, platform text, keywords jsonb, target_username text, target_results integer,
                   region text, campaign_id uuid, search_params jsonb)
            RETURNING id, user_id, platform)
        INSERT INTO worker.tasks (job_table, job_id, lane, tenant, state)
        SELECT 'scraping_jobs', job.id::text, n.lane, left(job.user_id, 200), 'ready'
          FROM job JOIN worker.lanes n ON n.lane = 'scrape.' || lower(btrim(job.platform))
        """,
        (Jsonb(wanted),),
    )
    return ids


@dataclass(frozen=True, slots=True)
class NewBackgroundJob:
    """What a service wants done; the columns of the row. ``scheduled_for`` None means now."""

    job_type: str
    payload: Mapping[str, Any]
    priority: int
    max_retries: int
    scheduled_for: datetime | None


_BACKGROUND_JOB: Final[LiteralString] = """
    WITH key AS (
        INSERT INTO worker.enqueue_keys (key, job_table, job_id)
        SELECT %(key)s::text, 'background_jobs', %(id)s::text WHERE %(key)s::text IS NOT NULL
        ON CONFLICT (key) DO NOTHING
        RETURNING key),
    job AS (
        INSERT INTO public.background_jobs (id, job_type, payload, priority, max_retries, scheduled_for, created_at,
                                            updated_at)
        SELECT %(id)s::uuid, %(job_type)s, %(payload)s::jsonb, %(priority)s, %(max_retries)s,
               coalesce(%(scheduled_for)s::timestamptz AT TIME ZONE 'UTC', worker.utc_now()), worker.utc_now(),
               worker.utc_now()
         WHERE %(key)s::text IS NULL OR EXISTS (SELECT FROM key)
        RETURNING id, job_type, payload, priority, max_retries, scheduled_for AT TIME ZONE 'UTC' AS run_at),
    task AS (
        INSERT INTO worker.tasks (job_table, job_id, lane, tenant, priority, state, run_at, max_failures,
                                  wait_reason)
        SELECT 'background_jobs', job.id::text, n.lane, coalesce(left(job.payload ->> 'userId', 200), '-'),
               job.priority, CASE WHEN job.run_at <= clock_timestamp() THEN 'ready' ELSE 'waiting' END, job.run_at,
               job.max_retries, CASE WHEN job.run_at > clock_timestamp() THEN 'scheduled' END
          FROM job JOIN worker.lanes n ON n.lane = 'job.' || job.job_type
        RETURNING lane)
    SELECT job.id::text, (SELECT lane FROM task) FROM job
"""


def insert_background_job(
    connection: Connection, job: NewBackgroundJob, key: str | None
) -> tuple[str, str | None] | None:
    """Insert a row and, where its lane is there already, its task; give the job's id and lane.

    None when the idempotency key is taken; waits for another transaction that is just taking it. Locks: the new rows,
    the key.
    """
    return connection.execute(_BACKGROUND_JOB, _columns(job, key)).fetchone()


async def insert_background_job_from(
    connection: AsyncConnection[Any], job: NewBackgroundJob, key: str | None
) -> tuple[str, str | None] | None:
    """As `insert_background_job`, for a handler that puts in a job of its own."""
    return await (await connection.execute(_BACKGROUND_JOB, _columns(job, key))).fetchone()


def _columns(job: NewBackgroundJob, key: str | None) -> dict[str, object]:
    return {
        "key": key,
        "id": str(uuid4()),
        "job_type": job.job_type,
        "payload": Jsonb(dict(job.payload)),
        "priority": job.priority,
        "max_retries": job.max_retries,
        "scheduled_for": job.scheduled_for,
    }


def job_of_key(connection: Connection, key: str) -> str | None:
    """The job that an idempotency key names; None when it names none, for old keys are pruned. No locks."""
    row = connection.execute("SELECT job_id FROM worker.enqueue_keys WHERE key = %s", (key,)).fetchone()
    return str(row[0]) if row else None
