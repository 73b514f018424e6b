"""How a slice ends: the task is closed or given back, the row told, the attempt noted."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from psycopg import AsyncConnection


@dataclass(frozen=True, slots=True)
class Settled:
    """Whether the token was still the task's, and whether the application's row took the news."""

    owned: bool
    row_written: bool


_GIVE_UP_LEASE = "last_token = token, token = NULL, owner = NULL, expires_at = NULL, slices = slices + 1"

_NOTE = """
    INSERT INTO worker.attempts (task_id, epoch, owner, outcome, reason, detail, started_at)
    SELECT id, epoch, %(owner)s, %(outcome)s::text, %(reason)s::text, left(%(detail)s::text, 4000), claimed_at FROM own
"""


async def close(
    connection: AsyncConnection[Any],
    task_id: int,
    token: UUID,
    owner: str,
    status: str,
    reason: str,
    error: str | None,
) -> Settled:
    """End a task and its row: ``completed`` (progress 100), ``error`` or ``timeout``; results stay.

    A row that is no longer ``processing`` keeps its word; if it is pending again, adoption hears of it.
    Locks: task, then row. Plan: two primary keys.
    """
    return await _settle(
        connection,
        f"""
        WITH own AS (
            UPDATE worker.tasks
               SET state = 'closed', closed_at = clock_timestamp(), end_reason = %(reason)s::text, {_GIVE_UP_LEASE}
             WHERE id = %(task_id)s AND state = 'leased' AND token = %(token)s
            RETURNING id, job_table, job_id, epoch, claimed_at),
        row AS (
            UPDATE public.scraping_jobs j
               SET status = %(outcome)s::text, error = left(%(detail)s::text, 4000), completed_at = worker.utc_now(),
                   updated_at = worker.utc_now(),
                   progress = CASE WHEN %(outcome)s::text = 'completed' THEN 100 ELSE j.progress END
              FROM own
             WHERE j.id = own.job_id::uuid AND j.status = 'processing'
            RETURNING j.id),
        again AS (
            INSERT INTO worker.inbox (job_table, job_id)
            SELECT job_table, job_id FROM own WHERE NOT EXISTS (SELECT FROM row)),
        note AS ({_NOTE})
        SELECT EXISTS (SELECT FROM own), EXISTS (SELECT FROM row)
        """,  # noqa: S608 - built from constants of this module
        {
            "task_id": task_id,
            "token": token,
            "owner": owner,
            "outcome": status,
            "reason": reason,
            "detail": error,
        },
    )


async def close_outside(connection: AsyncConnection[Any], task_id: int, token: UUID, owner: str) -> Settled:
    """End a task whose row the application ended, reset or deleted; the row keeps its word.

    The inbox gets the row once more: if it is pending again, adoption reopens the task. Locks: task.
    """
    return await _settle(
        connection,
        f"""
        WITH own AS (
            UPDATE worker.tasks
               SET state = 'closed', closed_at = clock_timestamp(), end_reason = 'outside', {_GIVE_UP_LEASE}
             WHERE id = %(task_id)s AND state = 'leased' AND token = %(token)s
            RETURNING id, job_table, job_id, epoch, claimed_at),
        again AS (
            INSERT INTO worker.inbox (job_table, job_id) SELECT job_table, job_id FROM own),
        note AS ({_NOTE})
        SELECT EXISTS (SELECT FROM own), false
        """,  # noqa: S608 - built from constants of this module
        {
            "task_id": task_id,
            "token": token,
            "owner": owner,
            "outcome": "outside",
            "reason": "row_changed",
            "detail": None,
        },
    )


async def give_back(
    connection: AsyncConnection[Any],
    task_id: int,
    token: UUID,
    owner: str,
    outcome: str,
    reason: str,
    detail: str | None,
    delay: timedelta,
) -> Settled:
    """Put a task back to go on later: ``continue`` (its place kept), ``wait`` or ``retry`` (due after ``delay``).

    Only ``retry`` spends an attempt, only ``wait`` counts as a wait; the row stays ``processing``.
    Locks: task. Plan: primary key.
    """
    return await _settle(
        connection,
        f"""
        WITH own AS (
            UPDATE worker.tasks
               SET state = CASE WHEN %(later)s THEN 'waiting' ELSE 'ready' END,
                   run_at = CASE WHEN %(later)s THEN clock_timestamp() + %(delay)s ELSE run_at END,
                   wait_reason = CASE WHEN %(later)s THEN left(%(reason)s::text, 200) END,
                   failures = failures + %(failures)s, waits = waits + %(waits)s, {_GIVE_UP_LEASE}
             WHERE id = %(task_id)s AND state = 'leased' AND token = %(token)s
            RETURNING id, epoch, claimed_at),
        note AS ({_NOTE})
        SELECT EXISTS (SELECT FROM own), false
        """,  # noqa: S608 - built from constants of this module
        {
            "task_id": task_id,
            "token": token,
            "owner": owner,
            "outcome": outcome,
            "reason": reason,
            "detail": detail,
            "delay": delay,
            "later": outcome != "continue",
            "failures": int(outcome == "retry"),
            "waits": int(outcome == "wait"),
        },
    )


async def settled_by(connection: AsyncConnection[Any], task_id: int, token: UUID) -> bool:
    """Whether this token has settled the task: the answer after a settle whose reply was lost. No locks."""
    cursor = await connection.execute("SELECT last_token = %s FROM worker.tasks WHERE id = %s", (token, task_id))
    row = await cursor.fetchone()
    return bool(row and row[0])


async def _settle(connection: AsyncConnection[Any], statement: str, parameters: dict[str, object]) -> Settled:
    cursor = await connection.execute(statement.encode(), parameters)
    row = await cursor.fetchone()
    assert row is not None  # noqa: S101 - a SELECT without FROM gives one row
    return Settled(owned=row[0], row_written=row[1])
