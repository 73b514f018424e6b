"""How background jobs that completed together end together: the ordinary case of `settling.close`, for many at once."""

from collections.abc import Sequence
from typing import Any

from psycopg import AsyncConnection

from db.queries.rows import CLOSE_ROW
from db.queries.settling import GIVE_UP_LEASE, NOTE, Settlement


async def close_completed(connection: AsyncConnection[Any], completed: Sequence[Settlement]) -> set[int]:
    """End the tasks of background jobs that are ``completed``, and their rows, all or none; give the tasks it ended.

    What is out of the ordinary is left as it is, for `settling.close` to judge: a token that is no longer the task's, a
    row that is no longer ``processing``, a task or row that somebody holds. All settlements have one owner and one
    reason. Locks: tasks, then rows, skipping locked ones, so that it waits for nobody while it holds many. Plan:
    primary keys.
    """
    cursor = await connection.execute(
        f"""
        WITH told AS (
            SELECT * FROM unnest(%(tasks)s::bigint[], %(tokens)s::uuid[], %(results)s::text[], %(evidence)s::text[])
                     AS w (task_id, token, result, evidence)),
        held AS MATERIALIZED (
            SELECT t.id, t.job_id::uuid AS row_id, w.result, w.evidence
              FROM told w JOIN worker.tasks t ON t.id = w.task_id
             WHERE t.state = 'leased' AND t.token = w.token AND t.job_table = 'background_jobs'
               FOR NO KEY UPDATE OF t SKIP LOCKED),
        whole AS MATERIALIZED (
            SELECT h.* FROM held h JOIN public.background_jobs b ON b.id = h.row_id
             WHERE b.status = 'processing'
               FOR NO KEY UPDATE OF b SKIP LOCKED),
        own AS (
            UPDATE worker.tasks t
               SET state = 'closed', closed_at = clock_timestamp(), end_reason = %(reason)s::text, {GIVE_UP_LEASE}
              FROM whole w
             WHERE t.id = w.id
            RETURNING t.id, t.job_table, t.job_id, t.epoch, t.claimed_at, t.failures, w.result, w.evidence),
        row AS ({CLOSE_ROW["background_jobs"]}),
        again AS (
            INSERT INTO worker.inbox (job_table, job_id)
            SELECT job_table, job_id FROM own WHERE job_id::uuid NOT IN (SELECT id FROM row)),
        note AS ({NOTE})
        SELECT id FROM own
        """,
        {
            "tasks": [one.task_id for one in completed],
            "tokens": [one.token for one in completed],
            "results": [one.result for one in completed],
            "evidence": [one.evidence for one in completed],
            "owner": completed[0].owner,
            "outcome": completed[0].outcome,
            "reason": completed[0].reason,
            "detail": None,
        },
    )
    return {task_id for (task_id,) in await cursor.fetchall()}
