"""Group leases: one lease over many background jobs that take a moment each, and how all of them end together."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from psycopg import AsyncConnection, Connection
from psycopg.rows import class_row

from db.queries.settling import NOTE


@dataclass(frozen=True, slots=True)
class GroupJob:
    """One job of a group: its task, its row, its payload as JSON text, and which version of the row that is.

    ``waited`` is how long it was due before the claim, in seconds.
    """

    task_id: int
    job_id: str
    payload: str
    version: str
    waited: float


async def claim_group(
    connection: AsyncConnection[Any], lane: str, owner: str, token: UUID, count: int, ttl: timedelta
) -> tuple[list[GroupJob], bool]:
    """Lease up to ``count`` of the lane's next tasks as one group; give its jobs, and whether the lane has others.

    No jobs when the lane is paused, cooling down or full, or has nothing for a group. Called again with the same token
    it gives the same group. Locks: lane. Plan: ``tasks_ready`` in its order, past what other groups have, then rows by
    primary key. Raises `psycopg.errors.LockNotAvailable` when the lane stays locked for two seconds.
    """
    cursor = await connection.execute(
        "SELECT o_task, o_job, o_payload, o_version, o_waited, o_more FROM worker.claim_group(%s, %s, %s, %s, %s)",
        (lane, owner, token, count, ttl),
    )
    rows = await cursor.fetchall()
    return [GroupJob(*row[:5]) for row in rows], any(more for *_, more in rows[:1])


async def close_group(
    connection: AsyncConnection[Any],
    owner: str,
    token: UUID,
    completed: Sequence[tuple[GroupJob, str | None]],
    evidence: str,
) -> set[int]:
    """End a group: complete these of its jobs, each with its result as JSON text; give the tasks that ended.

    Nothing is written when the group is no longer there. A job whose task or row changed meanwhile, or is held by
    somebody, is left; so is one that is not among the completed. What is left has had a slice, and so is for a lease of
    its own next. Locks: group, tasks, rows, skipping locked ones of the latter two. Plan: primary keys.
    """
    cursor = await connection.execute(
        f"""
        WITH mine AS (
            DELETE FROM worker.group_leases WHERE token = %(token)s RETURNING tasks, claimed_at),
        told AS (
            SELECT w.*, m.claimed_at
              FROM mine m, unnest(%(tasks)s::bigint[], %(versions)s::text[], %(results)s::text[])
                           AS w (task_id, version, result)
             WHERE w.task_id = ANY (m.tasks)),
        held AS MATERIALIZED (
            SELECT t.id, t.job_id::uuid AS row_id, w.version, w.result, w.claimed_at
              FROM told w JOIN worker.tasks t ON t.id = w.task_id
             WHERE t.state = 'ready' AND t.slices = 0 AND t.cancel_at IS NULL
               FOR NO KEY UPDATE OF t SKIP LOCKED),
        whole AS MATERIALIZED (
            SELECT h.* FROM held h JOIN public.background_jobs b ON b.id = h.row_id
             WHERE b.xmin::text = h.version
               FOR NO KEY UPDATE OF b SKIP LOCKED),
        own AS (
            UPDATE worker.tasks t
               SET state = 'closed', closed_at = clock_timestamp(), end_reason = %(reason)s::text,
                   epoch = t.epoch + 1, slices = 1, last_token = %(token)s, claimed_at = w.claimed_at,
                   wait_reason = NULL
              FROM whole w
             WHERE t.id = w.id
            RETURNING t.id, t.job_table, t.job_id, t.epoch, t.claimed_at, t.failures, w.result,
                      %(evidence)s::text AS evidence),
        row AS (
            UPDATE public.background_jobs b
               SET status = 'completed', result = coalesce(own.result::jsonb, b.result), error = NULL,
                   started_at = coalesce(b.started_at, own.claimed_at AT TIME ZONE 'UTC'),
                   completed_at = worker.utc_now(), failed_at = NULL, updated_at = worker.utc_now()
              FROM own
             WHERE b.id = own.job_id::uuid),
        note AS ({NOTE}),
        rest AS MATERIALIZED (
            SELECT t.id FROM mine m, worker.tasks t
             WHERE t.id = ANY (m.tasks) AND t.state = 'ready' AND NOT EXISTS (SELECT FROM whole w WHERE w.id = t.id)
               FOR NO KEY UPDATE OF t SKIP LOCKED),
        apart AS (
            UPDATE worker.tasks t SET slices = t.slices + 1 FROM rest r WHERE t.id = r.id)
        SELECT id FROM own
        """,
        {
            "token": token,
            "tasks": [job.task_id for job, _ in completed],
            "versions": [job.version for job, _ in completed],
            "results": [result for _, result in completed],
            "evidence": evidence,
            "owner": owner,
            "outcome": "completed",
            "reason": "done",
            "detail": None,
        },
    )
    return {task_id for (task_id,) in await cursor.fetchall()}


async def ended_by(connection: AsyncConnection[Any], token: UUID, tasks: Sequence[int]) -> set[int]:
    """Which of these tasks this group has ended: the answer after a `close_group` whose reply was lost. No locks."""
    cursor = await connection.execute(
        "SELECT id FROM worker.tasks WHERE id = ANY (%s) AND last_token = %s AND state = 'closed'", (list(tasks), token)
    )
    return {task_id for (task_id,) in await cursor.fetchall()}


@dataclass(frozen=True, slots=True)
class DeadGroup:
    """One group whose lease ran out: who held it, and how many tasks were left."""

    lane: str
    owner: str
    tasks: int


def sweep_dead_groups(connection: Connection, batch: int) -> list[DeadGroup]:
    """Take back groups whose lease ran out: nothing of them was done, and each task runs by itself next.

    No crash is counted, because nobody knows which job did it: the one that did will be alone when it does it again.
    The attempts keep what is known of the crash. Locks: groups, then tasks, skipping locked ones. Plan: primary keys.
    """
    with connection.cursor(row_factory=class_row(DeadGroup)) as cursor:
        return cursor.execute(
            """
            WITH over AS MATERIALIZED (
                SELECT token FROM worker.group_leases WHERE expires_at < clock_timestamp()
                 ORDER BY expires_at LIMIT %s FOR UPDATE SKIP LOCKED),
            dead AS (
                DELETE FROM worker.group_leases g USING over o WHERE g.token = o.token
                RETURNING g.lane, g.owner, g.tasks, g.claimed_at),
            rest AS MATERIALIZED (
                SELECT t.id, d.owner, d.claimed_at FROM dead d JOIN worker.tasks t ON t.id = ANY (d.tasks)
                 WHERE t.state = 'ready'
                   FOR NO KEY UPDATE OF t SKIP LOCKED),
            apart AS (
                UPDATE worker.tasks t SET slices = t.slices + 1 FROM rest r WHERE t.id = r.id
                RETURNING t.id, t.epoch, r.owner, r.claimed_at),
            note AS (
                INSERT INTO worker.attempts (task_id, epoch, owner, outcome, reason, started_at, evidence)
                SELECT a.id, a.epoch, a.owner, 'crashed', 'group_lease_expired', a.claimed_at,
                       jsonb_strip_nulls(jsonb_build_object(
                           'host', w.host, 'pid', w.pid, 'last_tick_at', w.last_tick_at, 'rss_mb', w.rss_mb,
                           'release', w.release))
                  FROM apart a LEFT JOIN worker.workers w ON w.id = a.owner)
            SELECT lane, owner, cardinality(tasks) AS tasks FROM dead
            """,
            (batch,),
        ).fetchall()
