"""What operators ask of background jobs. Reads only, no locks."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import Connection
from psycopg.rows import class_row, dict_row


@dataclass(frozen=True, slots=True)
class BackgroundLine:
    """One background job in a list."""

    id: str
    job_type: str
    status: str
    retries: int
    state: str | None
    reason: str | None
    scheduled_for: datetime
    created_at: datetime
    error: str | None


def list_jobs(connection: Connection, status: str | None, limit: int) -> list[BackgroundLine]:
    """The newest background jobs, filtered. Plan: one scan and sort of the application's rows."""
    with connection.cursor(row_factory=class_row(BackgroundLine)) as cursor:
        return cursor.execute(
            """
            SELECT b.id::text, b.job_type, b.status, b.retry_count AS retries, t.state,
                   coalesce(t.wait_reason, t.end_reason) AS reason, b.scheduled_for, b.created_at, b.error
              FROM public.background_jobs b
              LEFT JOIN worker.tasks t ON t.job_table = 'background_jobs' AND t.job_id = b.id::text
             WHERE %(status)s::text IS NULL OR b.status = %(status)s
             ORDER BY b.created_at DESC, b.id
             LIMIT %(limit)s
            """,
            {"status": status, "limit": limit},
        ).fetchall()


def job_row(connection: Connection, job_id: str) -> dict[str, Any] | None:
    """The application's row with its task's fields under ``task``; None when there is no such job."""
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(
            """
            SELECT b.*, to_jsonb(t) - 'token' - 'last_token' AS task
              FROM public.background_jobs b
              LEFT JOIN worker.tasks t ON t.job_table = 'background_jobs' AND t.job_id = b.id::text
             WHERE b.id = %s::uuid
            """,
            (job_id,),
        ).fetchone()
