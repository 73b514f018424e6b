"""How rows that a retry set back become what they were, where nothing has touched them since."""

from collections.abc import Sequence
from typing import Any, Final, LiteralString

from psycopg import Connection
from psycopg.types.json import Jsonb

from db.queries.search_jobs import there_are_searches

_WAS: Final[LiteralString] = """
    was AS MATERIALIZED (
        SELECT w.id, w.touched, w.row, w.task
          FROM jsonb_to_recordset(%(rows)s) AS w (id uuid, touched text, row jsonb, task jsonb)),
    tasks AS MATERIALIZED (
        SELECT t.id, t.job_id FROM worker.tasks t
         WHERE t.job_table = %(job_table)s AND t.job_id IN (SELECT w.id::text FROM was w)
           AND t.state <> 'leased'
         ORDER BY t.id FOR NO KEY UPDATE SKIP LOCKED)
"""
_UNTOUCHED: Final[LiteralString] = """
    j.updated_at::text = w.touched
    AND (k.id IS NOT NULL OR NOT EXISTS (
        SELECT FROM worker.tasks o WHERE o.job_table = %(job_table)s AND o.job_id = w.id::text))
"""
# A task that there was none of, or that was open although its row had ended, closes as such tasks do.
_CLOSE: Final[LiteralString] = """
    closed AS (
        UPDATE worker.tasks t
           SET state = CASE WHEN r.state IN ('closed', 'parked') THEN r.state ELSE 'closed' END,
               closed_at = CASE WHEN r.state IN ('closed', 'parked') THEN r.closed_at ELSE clock_timestamp() END,
               end_reason = CASE WHEN r.state IN ('closed', 'parked') THEN r.end_reason ELSE 'outside' END,
               run_at = coalesce(r.run_at, t.run_at), wait_reason = NULL, claimed_at = r.claimed_at,
               failures = coalesce(r.failures, 0), crashes = coalesce(r.crashes, 0), waits = coalesce(r.waits, 0),
               cancel_at = r.cancel_at, cancel_reason = r.cancel_reason, deadline_at = r.deadline_at
          FROM held h, jsonb_populate_record(NULL::worker.tasks, coalesce(h.task, '{}')) r
         WHERE t.id = h.task_id)
    SELECT held.id::text FROM held JOIN again ON again.id = held.id
"""

_UNDO: Final[dict[str, LiteralString]] = {
    "scraping_jobs": f"""
        WITH {_WAS},
        held AS MATERIALIZED (
            SELECT w.*, k.id AS task_id
              FROM was w JOIN public.scraping_jobs j ON j.id = w.id LEFT JOIN tasks k ON k.job_id = w.id::text
             WHERE j.status = 'pending' AND {_UNTOUCHED}
               FOR NO KEY UPDATE OF j SKIP LOCKED),
        again AS (
            UPDATE public.scraping_jobs j
               SET status = h.row ->> 'status', error = h.row ->> 'error',
                   completed_at = (h.row ->> 'completed_at')::timestamp,
                   timeout_at = (h.row ->> 'timeout_at')::timestamp, updated_at = worker.utc_now()
              FROM held h WHERE j.id = h.id
            RETURNING j.id),
        {_CLOSE}
    """,
    "background_jobs": f"""
        WITH {_WAS},
        held AS MATERIALIZED (
            SELECT w.*, k.id AS task_id
              FROM was w JOIN public.background_jobs j ON j.id = w.id LEFT JOIN tasks k ON k.job_id = w.id::text
             WHERE j.status = 'pending' AND {_UNTOUCHED}
               FOR NO KEY UPDATE OF j SKIP LOCKED),
        again AS (
            UPDATE public.background_jobs j
               SET status = h.row ->> 'status', error = h.row ->> 'error',
                   failed_at = (h.row ->> 'failed_at')::timestamp, completed_at = (h.row ->> 'completed_at')::timestamp,
                   retry_count = (h.row ->> 'retry_count')::integer,
                   scheduled_for = (h.row ->> 'scheduled_for')::timestamp, updated_at = worker.utc_now()
              FROM held h WHERE j.id = h.id
            RETURNING j.id),
        {_CLOSE}
    """,
    "search_jobs": f"""
        WITH {_WAS},
        held AS MATERIALIZED (
            SELECT w.*, k.id AS task_id, j.id AS search
              FROM was w JOIN worker.searches q ON q.key = w.id JOIN public.search_jobs j ON j.id = q.job_id
              LEFT JOIN tasks k ON k.job_id = w.id::text
             WHERE j.status = 'queued' AND {_UNTOUCHED}
               FOR NO KEY UPDATE OF j SKIP LOCKED),
        again AS (
            UPDATE public.search_jobs j
               SET status = h.row ->> 'status', completed_at = (h.row ->> 'completed_at')::timestamp,
                   updated_at = worker.utc_now()
              FROM held h WHERE j.id = h.search
            RETURNING h.id),
        {_CLOSE}
    """,
}


def put_as_it_was(connection: Connection, job_table: str, rows: Sequence[dict[str, Any]]) -> list[str]:
    """Give rows that still wait, as `set_back` left them, the words and times that they had; give their ids.

    A row that was claimed, changed or is held by somebody since is left alone. Their tasks close as they had been.
    Locks: tasks, then rows, skipping locked ones. Plan: the unique key of tasks, primary keys.
    """
    if job_table == "search_jobs" and not there_are_searches(connection):
        return []
    found = connection.execute(_UNDO[job_table], {"job_table": job_table, "rows": Jsonb(list(rows))}).fetchall()
    return [job_id for (job_id,) in found]
