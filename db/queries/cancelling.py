"""How a job is stopped on purpose."""

from collections.abc import Sequence
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
    return cancel_many(connection, [job_id], reason).get(job_id)


def cancel_many(connection: Connection, job_ids: Sequence[str], reason: str) -> dict[str, str]:
    """Stop jobs of any tables; give what `cancel` gives of each, by id, without those that are not to be stopped.

    Locks: tasks in the order of their ids, then rows; waits for those that others hold. Plan: unique key, primary keys.
    """
    reason = storable(reason)
    done: dict[str, str] = {}
    for _ in range(2):
        done |= _cancel_tasks(connection, [job_id for job_id in job_ids if job_id not in done], reason)
        if left := [job_id for job_id in job_ids if job_id not in done]:
            done |= _cancel_rows(connection, left, reason)
        if len(done) == len(job_ids):
            break
        # Those that are left may have been adopted between the two statements; then they have a task now.
    return done


def _cancel_rows(connection: Connection, job_ids: Sequence[str], reason: str) -> dict[str, str]:
    """End pending rows that no open task works for. Adoption passes over them, and a claim that came first wins."""
    rows = connection.execute(
        f"""
        WITH free AS MATERIALIZED (
            SELECT i.id FROM unnest(%(ids)s::uuid[]) AS i (id)
             WHERE NOT EXISTS (SELECT FROM worker.tasks t
                                WHERE t.job_table IN ('scraping_jobs', 'background_jobs', 'search_jobs')
                                  AND t.job_id = i.id::text AND t.state IN ('ready', 'waiting', 'leased'))),
        scraping AS (
            UPDATE public.scraping_jobs j
               SET status = 'error', error = left(%(error)s::text, 4000), completed_at = worker.utc_now(),
                   updated_at = worker.utc_now()
              FROM free f WHERE j.id = f.id AND j.status = 'pending'
            RETURNING j.id, j.completed_at AS ended_at, {TOLD_OF_JOB}),
        background AS (
            UPDATE public.background_jobs b
               SET status = 'failed', error = left(%(error)s::text, 4000), failed_at = worker.utc_now(),
                   updated_at = worker.utc_now()
              FROM free f WHERE b.id = f.id AND b.status = 'pending'
            RETURNING b.id)
        SELECT s.id::text, {_TELL} FROM scraping s UNION ALL SELECT b.id::text, NULL FROM background b
        UNION ALL
        SELECT f.id::text, true FROM free f
         WHERE worker.end_search(f.id, '{{queued}}', 'error', 'cancelled', %(error)s::text, worker.utc_now()::text)
        """,
        {"ids": list(job_ids), "error": CANCELLED + reason},
    ).fetchall()
    return {job_id: "pending" for job_id, _ in rows}


def _cancel_tasks(connection: Connection, job_ids: Sequence[str], reason: str) -> dict[str, str]:
    with connection.transaction():
        # Lock and change are two statements: in one, the change is made to the task as it was before the wait for the
        # lock, and a task that a worker took meanwhile would be leased by nobody.
        open_tasks = connection.execute(
            """
            SELECT id FROM worker.tasks
             WHERE job_table IN ('scraping_jobs', 'background_jobs', 'search_jobs')
               AND job_id = ANY (%s::uuid[]::text[]) AND state IN ('ready', 'waiting', 'leased')
             ORDER BY id FOR NO KEY UPDATE
            """,
            (list(job_ids),),
        ).fetchall()
        return _cancel_locked(connection, [task_id for (task_id,) in open_tasks], reason) if open_tasks else {}


def _cancel_locked(connection: Connection, task_ids: Sequence[int], reason: str) -> dict[str, str]:
    rows = connection.execute(
        f"""
        WITH open AS MATERIALIZED (SELECT id, state FROM worker.tasks WHERE id = ANY (%(ids)s)),
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
        SELECT h.job_id, h.before, CASE WHEN s.id IS NOT NULL THEN {_TELL} END,
               CASE WHEN h.before <> 'leased' AND h.job_table = 'search_jobs'
                    THEN worker.end_search(h.job_id::uuid, '{{queued,processing}}', 'error', 'cancelled',
                                           %(error)s::text, concat_ws(':', h.epoch, worker.utc_now())) END
          FROM hit h LEFT JOIN scraping s ON s.id = h.job_id::uuid
        """,
        {"ids": list(task_ids), "reason": reason, "error": CANCELLED + reason},
    ).fetchall()
    return {job_id: before for job_id, before, _, _ in rows}
