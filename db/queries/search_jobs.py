"""What operators ask of searches. Reads only, no locks. Where the table is missing there are none."""

from typing import Any

from psycopg import Connection
from psycopg.rows import dict_row


def there_are_searches(connection: Connection) -> bool:
    """Whether the application has the tables. The catalog."""
    row = connection.execute("SELECT to_regclass('public.search_jobs') IS NOT NULL").fetchone()
    return bool(row and row[0])


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
