"""Many background jobs in one statement; of scraping jobs `db.queries.enqueueing` has the like."""

from collections.abc import Sequence
from dataclasses import asdict
from uuid import uuid4

from psycopg import Connection
from psycopg.types.json import Jsonb

from db.queries.enqueueing import NewBackgroundJob


def insert_background_jobs(connection: Connection, jobs: Sequence[NewBackgroundJob]) -> list[str]:
    """Insert rows and, where their lanes are there already, their tasks; give their ids, in order.

    Without a lane adoption makes the task, as for rows of other services. Locks: the new rows.
    """
    ids = [str(uuid4()) for _ in jobs]
    wanted = [
        {
            **asdict(job),
            "id": job_id,
            "scheduled_for": job.scheduled_for.isoformat() if job.scheduled_for else None,
        }
        for job_id, job in zip(ids, jobs, strict=True)
    ]
    connection.execute(
        """
        WITH job AS (
            INSERT INTO public.background_jobs (id, job_type, payload, priority, max_retries, scheduled_for, created_at,
                                                updated_at)
            SELECT w.id, w.job_type, w.payload, w.priority, w.max_retries,
                   coalesce(w.scheduled_for AT TIME ZONE 'UTC', worker.utc_now()), worker.utc_now(), worker.utc_now()
              FROM jsonb_to_recordset(%s) AS w (
                   id uuid, job_type text, payload jsonb, priority integer, max_retries integer,
                   scheduled_for timestamptz)
            RETURNING id, job_type, payload, priority, max_retries, scheduled_for AT TIME ZONE 'UTC' AS run_at)
        INSERT INTO worker.tasks (job_table, job_id, lane, tenant, priority, state, run_at, max_failures, wait_reason)
        SELECT 'background_jobs', job.id::text, n.lane, coalesce(left(job.payload ->> 'userId', 200), '-'),
               job.priority, CASE WHEN job.run_at <= clock_timestamp() THEN 'ready' ELSE 'waiting' END, job.run_at,
               job.max_retries,
               CASE WHEN job.run_at > clock_timestamp() THEN 'scheduled' END
          FROM job JOIN worker.lanes n ON n.lane = 'job.' || job.job_type
        """,
        (Jsonb(wanted),),
    )
    return ids
