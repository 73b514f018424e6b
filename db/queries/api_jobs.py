"""One job as the API shows it. Reads only, no locks. Plan: primary and unique keys.

JSON is given as text: numbers that Python has no room for pass through as they are.
"""

from typing import Any, Final, LiteralString

from psycopg import Connection
from psycopg.rows import dict_row

JSON_COLUMNS: Final = ("keywords", "search_params", "payload", "result")
"""Columns whose text is JSON."""

_TASK: Final[LiteralString] = """
    t.state, t.lane, t.run_at, coalesce(t.wait_reason, t.end_reason) AS reason, coalesce(t.epoch, 0)::integer AS runs,
    coalesce(t.failures, 0) AS failures, coalesce(t.waits, 0) AS waits, coalesce(t.crashes, 0) AS crashes,
    coalesce(c.seq, 0) AS pages, t.cancel_at
"""

_JOBS: Final[dict[str, LiteralString]] = {
    "scraping_jobs": f"""
        SELECT j.id::text AS job_id, j.status, j.user_id, j.campaign_id::text, j.platform,
               j.keywords::text AS keywords, j.target_username, j.region, j.search_params::text AS search_params,
               least(greatest(coalesce(j.progress, 0), 0), 100)::float AS progress, j.processed_results AS results,
               j.target_results AS target, j.created_at, j.started_at, j.completed_at,
               CASE WHEN isfinite(j.timeout_at) THEN j.timeout_at END AS timeout_at, j.updated_at, j.error, {_TASK}
          FROM public.scraping_jobs j
          LEFT JOIN worker.tasks t ON t.job_table = 'scraping_jobs' AND t.job_id = j.id::text
          LEFT JOIN worker.checkpoints c ON c.task_id = t.id
         WHERE j.id = %s::uuid
    """,
    "background_jobs": f"""
        SELECT b.id::text AS job_id, b.status, b.job_type, b.payload::text AS payload, b.result::text AS result,
               b.priority, b.max_retries, b.retry_count,
               CASE WHEN isfinite(b.scheduled_for) THEN b.scheduled_for END AS scheduled_for, b.created_at,
               b.started_at, b.completed_at, b.failed_at, b.updated_at, b.error, {_TASK}
          FROM public.background_jobs b
          LEFT JOIN worker.tasks t ON t.job_table = 'background_jobs' AND t.job_id = b.id::text
          LEFT JOIN worker.checkpoints c ON c.task_id = t.id
         WHERE b.id = %s::uuid
    """,
    # By way of a function, since an application without searches may have dropped their table.
    "search_jobs": f"""
        SELECT w.key::text AS job_id, s.doc ->> 'status' AS status, w.job_id AS search_id,
               s.doc ->> 'user_id' AS user_id, s.doc ->> 'campaign_id' AS campaign_id, s.doc ->> 'platform' AS platform,
               w.keywords::text AS keywords, w.target_username, w.region, w.search_params::text AS search_params,
               CASE s.doc ->> 'status' WHEN 'completed' THEN 100
                    ELSE least(99, 100.0 * (s.doc ->> 'completed_count')::integer
                                   / greatest((s.doc ->> 'total_count')::integer, 1)) END::float AS progress,
               (s.doc ->> 'completed_count')::integer AS results, (s.doc ->> 'total_count')::integer AS target,
               (s.doc ->> 'created_at')::timestamp AS created_at, (s.doc ->> 'completed_at')::timestamp AS completed_at,
               (s.doc ->> 'updated_at')::timestamp AS updated_at,
               CASE WHEN s.doc ->> 'status' IN ('error', 'timeout') THEN
                    (SELECT a.detail FROM worker.attempts a WHERE a.task_id = t.id ORDER BY a.id DESC LIMIT 1)
                    END AS error, {_TASK}
          FROM worker.searches w
         CROSS JOIN LATERAL worker.search_row(w.key) AS s (doc)
          LEFT JOIN worker.tasks t ON t.job_table = 'search_jobs' AND t.job_id = w.key::text
          LEFT JOIN worker.checkpoints c ON c.task_id = t.id
         WHERE w.key = %s::uuid AND s.doc IS NOT NULL
    """,
}
TASK_COLUMNS: Final = (
    *("state", "lane", "run_at", "reason", "runs", "failures", "waits", "crashes", "pages", "cancel_at"),
)
"""What of a row is the task's."""


def find_job(connection: Connection, job_id: str) -> dict[str, Any] | None:
    """The row of this id in whichever table, with ``table`` and its task's columns; None when there is none."""
    with connection.cursor(row_factory=dict_row) as cursor:
        for table, statement in _JOBS.items():
            if found := cursor.execute(statement, (job_id,)).fetchone():
                return {"table": table, **found}
    return None
