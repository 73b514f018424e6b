"""Pages of jobs, newest first, for whoever looks through them. Reads only, no locks, no count."""

from collections.abc import Mapping
from typing import Any, Final, LiteralString

from psycopg import Connection
from psycopg.rows import dict_row

from db.queries.search_jobs import there_are_searches
from db.queries.selecting import MEANT, OF_SEARCHES

_LIST: Final[dict[str, LiteralString]] = {
    # By status, each from its end of the index of status and time: whatever the table's size, a page is a few probes.
    "scraping_jobs": f"""
        WITH RECURSIVE words (status) AS (
                (SELECT j.status FROM public.scraping_jobs j ORDER BY j.status LIMIT 1)
            UNION ALL
                SELECT (SELECT j.status FROM public.scraping_jobs j WHERE j.status > w.status
                         ORDER BY j.status LIMIT 1)
                  FROM words w WHERE w.status IS NOT NULL),
        place AS MATERIALIZED (
            SELECT o.created_at, o.id FROM public.scraping_jobs o WHERE o.id = %(after)s::uuid),
        page AS MATERIALIZED (
            SELECT l.id
              FROM words w
             CROSS JOIN LATERAL (
                   SELECT j.id, j.created_at FROM public.scraping_jobs j
                    WHERE j.status = w.status AND {MEANT["scraping_jobs"]}
                      AND (%(after)s::text IS NULL
                           OR (j.created_at, j.id) < ((SELECT p.created_at FROM place p), (SELECT p.id FROM place p)))
                    ORDER BY j.created_at DESC, j.id DESC LIMIT %(limit)s) l
             ORDER BY l.created_at DESC, l.id DESC LIMIT %(limit)s)
        SELECT j.id::text, j.user_id, j.platform, j.status, coalesce(j.progress, 0)::float AS progress,
               j.processed_results AS results, j.target_results AS target, t.state,
               coalesce(t.wait_reason, t.end_reason) AS reason, j.created_at, j.updated_at, j.error
          FROM page JOIN public.scraping_jobs j ON j.id = page.id
          LEFT JOIN worker.tasks t ON t.job_table = 'scraping_jobs' AND t.job_id = j.id::text
         ORDER BY j.created_at DESC, j.id DESC
    """,
    "background_jobs": f"""
        SELECT j.id::text, j.job_type, j.status, j.retry_count AS retries, t.state,
               coalesce(t.wait_reason, t.end_reason) AS reason, j.scheduled_for, j.created_at, j.updated_at, j.error
          FROM public.background_jobs j
          LEFT JOIN worker.tasks t ON t.job_table = 'background_jobs' AND t.job_id = j.id::text
         WHERE {MEANT["background_jobs"]}
           AND (%(after)s::text IS NULL OR (j.created_at, j.id)
                < (SELECT o.created_at, o.id FROM public.background_jobs o WHERE o.id = %(after)s::uuid))
         ORDER BY j.created_at DESC, j.id DESC LIMIT %(limit)s
    """,
    "search_jobs": f"""
        SELECT j.id, j.platform, j.status, j.completed_count AS results, j.total_count AS target, t.state,
               coalesce(t.wait_reason, t.end_reason) AS reason, j.created_at, j.updated_at, e.detail AS error
          FROM {OF_SEARCHES}
         WHERE {MEANT["search_jobs"]}
           AND (%(after)s::text IS NULL OR (j.created_at, j.id)
                < (SELECT o.created_at, o.id FROM public.search_jobs o WHERE o.id = %(after)s))
         ORDER BY j.created_at DESC, j.id DESC LIMIT %(limit)s
    """,
}


def list_jobs(
    connection: Connection, job_table: str, meant: Mapping[str, Any], limit: int, after: str | None = None
) -> list[dict[str, Any]]:
    """The newest jobs of a table that are meant, from the one after ``after``, which is the id of a row.

    ``meant`` is what `db.queries.selecting` takes. A row that is gone has nothing after it. Plan: of scraping jobs one
    end of ``idx_scraping_jobs_status_created`` a status; of others a scan and a sort that keeps ``limit``.
    """
    if job_table == "search_jobs" and not there_are_searches(connection):
        return []
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(_LIST[job_table], {**meant, "after": after, "limit": limit}).fetchall()
