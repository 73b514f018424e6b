"""What operators ask of searches. Reads only, no locks. Where the table is missing there are none."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import Connection
from psycopg.rows import class_row, dict_row


@dataclass(frozen=True, slots=True)
class SearchLine:
    """One search in a list. ``reason`` is what the engine last noted, as the row has no column for it."""

    id: str
    platform: str
    status: str
    results: int
    target: int
    state: str | None
    reason: str | None
    created_at: datetime
    error: str | None


def there_are_searches(connection: Connection) -> bool:
    """Whether the application has the tables. The catalog."""
    row = connection.execute("SELECT to_regclass('public.search_jobs') IS NOT NULL").fetchone()
    return bool(row and row[0])


def list_jobs(connection: Connection, status: str | None, platform: str | None, limit: int) -> list[SearchLine]:
    """The newest searches, filtered. Plan: one scan and sort of the application's rows."""
    if not there_are_searches(connection):
        return []
    with connection.cursor(row_factory=class_row(SearchLine)) as cursor:
        return cursor.execute(
            """
            SELECT s.id, s.platform, s.status, s.completed_count AS results, s.total_count AS target, t.state,
                   coalesce(t.wait_reason, t.end_reason) AS reason, s.created_at,
                   CASE WHEN s.status IN ('error', 'timeout') THEN
                        (SELECT a.detail FROM worker.attempts a WHERE a.task_id = t.id ORDER BY a.id DESC LIMIT 1)
                        END AS error
              FROM public.search_jobs s
              LEFT JOIN worker.tasks t ON t.job_table = 'search_jobs' AND t.job_id = worker.search_key(s.id)::text
             WHERE (%(status)s::text IS NULL OR s.status = %(status)s)
               AND (%(platform)s::text IS NULL OR lower(s.platform) = lower(%(platform)s))
             ORDER BY s.created_at DESC, s.id
             LIMIT %(limit)s
            """,
            {"status": status, "platform": platform, "limit": limit},
        ).fetchall()


def job_row(connection: Connection, key: str) -> dict[str, Any] | None:
    """The row of the search that the engine knows by ``key``, what it asks for, and its task under ``task``."""
    if not there_are_searches(connection):
        return None
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(
            """
            SELECT s.*, w.user_id, w.keywords, w.target_username, w.region, w.search_params,
                   to_jsonb(t) - 'token' - 'last_token' AS task
              FROM worker.searches w
              JOIN public.search_jobs s ON s.id = w.job_id
              LEFT JOIN worker.tasks t ON t.job_table = 'search_jobs' AND t.job_id = w.key::text
             WHERE w.key = %s::uuid
            """,
            (key,),
        ).fetchone()


def job_counts(connection: Connection) -> dict[str, int]:
    """How many searches have each status. Plan: one scan of the application's rows."""
    if not there_are_searches(connection):
        return {}
    rows = connection.execute("SELECT status, count(*) FROM public.search_jobs GROUP BY status ORDER BY status")
    return dict(rows.fetchall())
