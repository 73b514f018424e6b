"""How a job is stopped on purpose."""

from typing import Final, LiteralString

from psycopg import Connection

from db.queries.events import TOLD_OF_JOB
from db.session import storable

CANCELLED = "cancelled: "
"""How ``error`` begins on a cancelled row."""

_TELL: Final[LiteralString] = """
    worker.tell_of_job(s.id, 'job_failed', s.ended_at::text, s.told || jsonb_build_object('reason', 'cancelled'))
"""
"""Tells the application of the end, in the same transaction; a running job's holder tells of it itself."""


def cancel(connection: Connection, job_id: str, reason: str) -> str | None:
    """Stop a job of any table: at once when nobody runs it, else at its next beat or page.

    Gives the task's state before, ``leased`` meaning that the flag is set, or ``pending`` for a row that was not
    adopted yet; None when there is neither. Locks: task, then row. Plan: unique key, primary key.
    """
    reason = storable(reason)
    for _ in range(2):
        before = _cancel_task(connection, job_id, reason)
        if before is not None:
            return before
        if _cancel_row(connection, job_id, reason):
            return "pending"
        # It may have been adopted between the two statements; then it has a task now.
    return None


def _cancel_row(connection: Connection, job_id: str, reason: str) -> bool:
    """End a pending row that no open task works for. Adoption passes over it, and a claim that came first wins."""
    return (
        connection.execute(
            f"""
            WITH open AS (
                SELECT FROM worker.tasks
                 WHERE job_table IN ('scraping_jobs', 'background_jobs', 'search_jobs') AND job_id = %(job_id)s
                   AND state IN ('ready', 'waiting', 'leased')),
            scraping AS (
                UPDATE public.scraping_jobs j
                   SET status = 'error', error = left(%(error)s::text, 4000), completed_at = worker.utc_now(),
                       updated_at = worker.utc_now()
                 WHERE j.id = %(job_id)s::uuid AND j.status = 'pending' AND NOT EXISTS (SELECT FROM open)
                RETURNING j.id, j.completed_at AS ended_at, {TOLD_OF_JOB}),
            background AS (
                UPDATE public.background_jobs
                   SET status = 'failed', error = left(%(error)s::text, 4000), failed_at = worker.utc_now(),
                       updated_at = worker.utc_now()
                 WHERE id = %(job_id)s::uuid AND status = 'pending' AND NOT EXISTS (SELECT FROM open)
                RETURNING 1)
            SELECT {_TELL} FROM scraping s UNION ALL SELECT NULL FROM background
            UNION ALL
            SELECT true
             WHERE NOT EXISTS (SELECT FROM open)
               AND worker.end_search(%(job_id)s::uuid, '{{queued}}', 'error', 'cancelled', %(error)s::text,
                                     worker.utc_now()::text)
            """,
            {"job_id": job_id, "error": CANCELLED + reason},
        ).rowcount
        > 0
    )


def _cancel_task(connection: Connection, job_id: str, reason: str) -> str | None:
    row = connection.execute(
        f"""
        WITH open AS MATERIALIZED (
            SELECT id, state FROM worker.tasks
             WHERE job_table IN ('scraping_jobs', 'background_jobs', 'search_jobs') AND job_id = %(job_id)s
               AND state IN ('ready', 'waiting', 'leased')
               FOR NO KEY UPDATE),
        hit AS (
            UPDATE worker.tasks t
               SET cancel_at = coalesce(t.cancel_at, clock_timestamp()),
                   cancel_reason = coalesce(t.cancel_reason, left(%(reason)s::text, 500)),
                   state = CASE WHEN o.state = 'leased' THEN 'leased' ELSE 'closed' END,
                   closed_at = CASE WHEN o.state = 'leased' THEN NULL ELSE clock_timestamp() END,
                   end_reason = CASE WHEN o.state = 'leased' THEN NULL ELSE 'cancelled' END,
                   wait_reason = NULL
              FROM open o WHERE t.id = o.id
            RETURNING t.id, t.job_table, t.job_id, t.epoch, o.state AS before),
        note AS (
            INSERT INTO worker.attempts (task_id, epoch, owner, outcome, reason, detail)
            SELECT id, epoch, 'operator', 'error', 'cancelled', %(reason)s::text FROM hit WHERE before <> 'leased'),
        scraping AS (
            UPDATE public.scraping_jobs j
               SET status = 'error', error = left(%(error)s::text, 4000), completed_at = worker.utc_now(),
                   updated_at = worker.utc_now()
              FROM hit h
             WHERE h.before <> 'leased' AND h.job_table = 'scraping_jobs' AND j.id = h.job_id::uuid
               AND j.status IN ('pending', 'processing')
            RETURNING j.id, concat_ws(':', h.epoch, j.completed_at) AS ended_at, {TOLD_OF_JOB}),
        background AS (
            UPDATE public.background_jobs b
               SET status = 'failed', error = left(%(error)s::text, 4000), failed_at = worker.utc_now(),
                   updated_at = worker.utc_now()
              FROM hit h
             WHERE h.before <> 'leased' AND h.job_table = 'background_jobs' AND b.id = h.job_id::uuid
               AND b.status IN ('pending', 'processing'))
        SELECT before, (SELECT {_TELL} FROM scraping s),
               CASE WHEN before <> 'leased' AND job_table = 'search_jobs'
                    THEN worker.end_search(job_id::uuid, '{{queued,processing}}', 'error', 'cancelled', %(error)s::text,
                                           concat_ws(':', epoch, worker.utc_now())) END
          FROM hit
        """,
        {"job_id": job_id, "reason": reason, "error": CANCELLED + reason},
    ).fetchone()
    return row[0] if row else None
