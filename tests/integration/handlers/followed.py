"""What a job left behind: the jobs it queued and the events it raised."""

from typing import Any

import psycopg


def queued(connection: psycopg.Connection, job_type: str) -> list[dict[str, Any]]:
    """Payload, priority and delay in seconds of the pending jobs of a type, oldest first."""
    with connection.cursor(row_factory=psycopg.rows.dict_row) as cursor:
        return cursor.execute(
            "SELECT payload, priority, round(extract(epoch FROM scheduled_for - created_at))::integer AS delay"
            "  FROM background_jobs WHERE job_type = %s AND status = 'pending' ORDER BY created_at, id",
            (job_type,),
        ).fetchall()


def raised(connection: psycopg.Connection, event_type: str | None = None) -> list[dict[str, Any]]:
    """Events, all or of one type, oldest first."""
    with connection.cursor(row_factory=psycopg.rows.dict_row) as cursor:
        return cursor.execute(
            "SELECT * FROM events WHERE %s::text IS NULL OR event_type = %s ORDER BY timestamp, id",
            (event_type, event_type),
        ).fetchall()
