"""How rows that ended are set back, so that they run again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, LiteralString

from psycopg import Connection
from psycopg.rows import class_row

from db.queries.adoptable import ADOPTABLE
from db.queries.adopting import ADOPT
from db.queries.search_jobs import there_are_searches

RETRIED: Final[Mapping[str, tuple[str, ...]]] = {
    "scraping_jobs": ("error", "timeout"),
    "background_jobs": ("failed",),
    "search_jobs": ("error", "timeout"),
}
"""Words of rows that a retry is for, by job table."""


@dataclass(frozen=True, slots=True)
class SetBack:
    """A row that was set back, and what it and its task were before: ``undoing.put_as_it_was`` takes it."""

    id: str
    touched: str
    """``updated_at`` as the retry wrote it: as long as the row says so, nobody else has changed it."""
    row: dict[str, Any]
    task: dict[str, Any] | None
    results: int


# Tasks before rows, as everywhere; neither is waited for, as another may hold them in whatever order.
_TASKS: Final[LiteralString] = """
    tasks AS MATERIALIZED (
        SELECT t.* FROM worker.tasks t
         WHERE t.job_table = %(job_table)s AND t.job_id = ANY (%(ids)s::uuid[]::text[]) AND t.state <> 'leased'
         ORDER BY t.id FOR NO KEY UPDATE SKIP LOCKED),
    due AS MATERIALIZED (SELECT * FROM unnest(%(ids)s::uuid[], %(due)s::timestamptz[]) AS d (id, due_at))
"""
_UNHELD: Final[LiteralString] = """
    (k.id IS NOT NULL OR NOT EXISTS (
        SELECT FROM worker.tasks o WHERE o.job_table = %(job_table)s AND o.job_id = d.id::text))
"""
# A task that is still open, though its row was ended by the application: with what it has spent it might not run.
_REST: Final[LiteralString] = """
    opened AS (
        UPDATE worker.tasks t
           SET state = CASE WHEN old.due_at > clock_timestamp() THEN 'waiting' ELSE 'ready' END,
               run_at = coalesce(old.due_at, clock_timestamp()),
               wait_reason = CASE WHEN old.due_at > clock_timestamp() THEN 'scheduled' END,
               failures = 0, crashes = 0, waits = 0, cancel_at = NULL, cancel_reason = NULL, claimed_at = NULL,
               deadline_at = CASE WHEN t.deadline_at > clock_timestamp() THEN t.deadline_at END
          FROM old WHERE t.id = old.task_id AND t.state IN ('ready', 'waiting')),
    told AS (
        INSERT INTO worker.inbox (job_table, job_id) SELECT %(job_table)s, again.id::text FROM again)
    SELECT again.id::text AS id, again.updated_at::text AS touched, old.row, old.task, old.results
      FROM again JOIN old ON old.id = again.id
"""
_TASK: Final[LiteralString] = """
    k.id AS task_id,
    jsonb_strip_nulls(to_jsonb(k) - ARRAY['token', 'last_token', 'owner', 'expires_at', 'tenant', 'adopted_at']) AS task
"""

_SET_BACK: Final[dict[str, LiteralString]] = {
    "scraping_jobs": f"""
        WITH {_TASKS},
        old AS MATERIALIZED (
            SELECT d.id, d.due_at, j.processed_results AS results, {_TASK},
                   jsonb_strip_nulls(jsonb_build_object(
                       'status', j.status, 'error', j.error, 'completed_at', j.completed_at,
                       'timeout_at', j.timeout_at)) AS row
              FROM due d JOIN public.scraping_jobs j ON j.id = d.id LEFT JOIN tasks k ON k.job_id = d.id::text
             WHERE j.status = ANY (%(words)s::text[]) AND {_UNHELD}
               FOR NO KEY UPDATE OF j SKIP LOCKED),
        again AS (
            UPDATE public.scraping_jobs j
               SET status = 'pending', error = NULL, completed_at = NULL, timeout_at = NULL,
                   updated_at = worker.utc_now(),
                   started_at = CASE WHEN NOT %(from_start)s THEN j.started_at END,
                   processed_runs = CASE WHEN %(from_start)s THEN 0 ELSE j.processed_runs END,
                   processed_results = CASE WHEN %(from_start)s THEN 0 ELSE j.processed_results END,
                   cursor = CASE WHEN %(from_start)s THEN 0 ELSE j.cursor END,
                   progress = CASE WHEN %(from_start)s THEN 0 ELSE j.progress END
              FROM old WHERE j.id = old.id
            RETURNING j.id, j.updated_at),
        {_REST}
    """,
    "background_jobs": f"""
        WITH {_TASKS},
        old AS MATERIALIZED (
            SELECT d.id, d.due_at, 0 AS results, {_TASK},
                   jsonb_strip_nulls(jsonb_build_object(
                       'status', j.status, 'error', j.error, 'failed_at', j.failed_at, 'completed_at', j.completed_at,
                       'retry_count', j.retry_count, 'scheduled_for', j.scheduled_for)) AS row
              FROM due d JOIN public.background_jobs j ON j.id = d.id LEFT JOIN tasks k ON k.job_id = d.id::text
             WHERE j.status = ANY (%(words)s::text[]) AND {_UNHELD}
               FOR NO KEY UPDATE OF j SKIP LOCKED),
        again AS (
            UPDATE public.background_jobs j
               SET status = 'pending', error = NULL, failed_at = NULL, completed_at = NULL, retry_count = 0,
                   scheduled_for = coalesce(old.due_at AT TIME ZONE 'UTC', worker.utc_now()),
                   updated_at = worker.utc_now(),
                   started_at = CASE WHEN NOT %(from_start)s THEN j.started_at END,
                   result = CASE WHEN NOT %(from_start)s THEN j.result END
              FROM old WHERE j.id = old.id
            RETURNING j.id, j.updated_at),
        {_REST}
    """,
    "search_jobs": f"""
        WITH {_TASKS},
        old AS MATERIALIZED (
            SELECT d.id, d.due_at, j.id AS search, j.completed_count AS results, {_TASK},
                   jsonb_strip_nulls(jsonb_build_object('status', j.status, 'completed_at', j.completed_at)) AS row
              FROM due d JOIN worker.searches w ON w.key = d.id JOIN public.search_jobs j ON j.id = w.job_id
              LEFT JOIN tasks k ON k.job_id = d.id::text
             WHERE j.status = ANY (%(words)s::text[]) AND {_UNHELD}
               FOR NO KEY UPDATE OF j SKIP LOCKED),
        again AS (
            UPDATE public.search_jobs j
               SET status = 'queued', completed_at = NULL, updated_at = worker.utc_now(),
                   completed_count = CASE WHEN %(from_start)s THEN 0 ELSE j.completed_count END
              FROM old WHERE j.id = old.search
            RETURNING old.id, j.updated_at),
        {_REST}
    """,
}


def set_back(
    connection: Connection,
    job_table: str,
    ids: Sequence[str],
    words: Sequence[str],
    *,
    due: Sequence[datetime | None] | None = None,
    from_start: bool = False,
) -> list[SetBack]:
    """Set rows whose status is one of ``words`` back to ``pending`` (``queued``), to be due at these times; give those.

    What a row and its task have spent does not count any more: attempts, crashes, waits and the deadline. A row whose
    task is leased, or that somebody else holds at this moment, is left alone. ``from_start`` sets the counters of a row
    to nothing; `dropping.drop_stored` must follow in the same transaction. Adoption reopens the tasks at their
    checkpoints, with fresh counts; the inbox is told here too, for a database whose triggers are missing.
    Locks: tasks, then rows, skipping locked ones. Plan: the unique key of tasks, primary keys.
    """
    if job_table == "search_jobs" and not there_are_searches(connection):
        return []
    with connection.cursor(row_factory=class_row(SetBack)) as cursor:
        return cursor.execute(
            _SET_BACK[job_table],
            {
                "job_table": job_table,
                "ids": list(ids),
                "words": list(words),
                "due": [None] * len(ids) if due is None else list(due),
                "from_start": from_start,
            },
        ).fetchall()


def adopt_for(connection: Connection, job_table: str, ids: Sequence[str], due: Sequence[datetime]) -> None:
    """Make or reopen the tasks of rows that wait, to be due at these times: the rows themselves have no column for it.

    Those whose lane is missing are left to adoption, which comes at once. Locks: tasks. Plan: as adoption.
    """
    table = ADOPTABLE[job_table]
    connection.execute(
        f"""
        WITH due AS MATERIALIZED (
            SELECT * FROM unnest(%(ids)s::uuid[], %(due)s::timestamptz[]) AS d (id, due_at)),
        found AS MATERIALIZED (SELECT r.* FROM due d JOIN ({table.waiting}) r ON r.id = d.id),
        wanted AS MATERIALIZED ({table.asks}),
        asked AS MATERIALIZED (
            SELECT w.job_table, w.job_id, w.lane, w.tenant, w.priority, d.due_at AS run_at, w.deadline_at, w.failures,
                   w.max_failures
              FROM wanted w JOIN due d ON d.id = w.job_id::uuid
             WHERE EXISTS (SELECT FROM worker.lanes n WHERE n.lane = w.lane)),
        adopted AS ({ADOPT}),
        remembered AS (
            INSERT INTO worker.seen_creators (task_id, key) {table.stored} ON CONFLICT DO NOTHING)
        SELECT count(*) FROM adopted
        """.encode(),
        {"ids": list(ids), "due": list(due)},
    )
