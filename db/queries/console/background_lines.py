"""Background jobs as a list shows them. Reads only, no locks."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import AsyncConnection

from db.queries.console.reading import rows_of


@dataclass(frozen=True, slots=True)
class BackgroundLine:
    """One background job."""

    id: str
    job_type: str
    status: str
    priority: int
    retries: int
    max_retries: int
    scheduled_for: datetime
    created_at: datetime
    completed_at: datetime | None
    error: str | None
    state: str | None
    reason: str | None
    run_at: datetime | None
    cancel_at: datetime | None
    lane: str | None
    paused: bool | None
    cooling: bool | None


async def background_lines(connection: AsyncConnection[Any], ids: Sequence[str]) -> list[BackgroundLine]:
    """These rows of ``background_jobs``, in this order; those that are gone are missing. Plan: primary, unique keys."""
    return await rows_of(
        connection,
        BackgroundLine,
        """
        SELECT b.id::text, b.job_type, b.status, b.priority, b.retry_count AS retries, b.max_retries, b.scheduled_for,
               b.created_at, b.completed_at, b.error, t.state, coalesce(t.wait_reason, t.end_reason) AS reason,
               t.run_at, t.cancel_at, t.lane, n.paused, n.cooldown_until > clock_timestamp() AS cooling
          FROM unnest(%(ids)s::uuid[]) WITH ORDINALITY AS w (id, place)
          JOIN public.background_jobs b ON b.id = w.id
          LEFT JOIN worker.tasks t ON t.job_table = 'background_jobs' AND t.job_id = b.id::text
          LEFT JOIN worker.lanes n ON n.lane = t.lane
         ORDER BY w.place
        """,
        {"ids": list(ids)},
    )


async def unadopted(connection: AsyncConnection[Any], job_table: str, limit: int) -> list[str]:
    """Ids of rows that have no task yet. Plan: the inbox from its start, as far as 1,000, and one probe each."""
    rows = await (
        await connection.execute(
            """
            SELECT DISTINCT q.job_id FROM (SELECT job_table, job_id FROM worker.inbox ORDER BY id LIMIT 1000) q
             WHERE q.job_table = %s
               AND NOT EXISTS (SELECT FROM worker.tasks t WHERE t.job_table = q.job_table AND t.job_id = q.job_id)
             LIMIT %s
            """,
            (job_table, limit),
        )
    ).fetchall()
    return [job_id for (job_id,) in rows]
