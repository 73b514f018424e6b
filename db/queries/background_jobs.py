"""What operators ask of background jobs. Reads only, no locks."""

from typing import Any

from psycopg import Connection
from psycopg.rows import dict_row


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
