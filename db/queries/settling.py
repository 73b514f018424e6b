"""How a slice ends: the task is closed or given back, the row told, the attempt noted."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, LiteralString
from uuid import UUID

from psycopg import AsyncConnection

from db.queries.rows import CLOSE_ROW, PUT_OFF_ROW


@dataclass(frozen=True, slots=True)
class Settled:
    """Whether the token was still the task's, and whether the application's row took the news."""

    owned: bool
    row_written: bool


@dataclass(frozen=True, slots=True)
class Settlement:
    """What a slice's holder writes: whose task it is, how the slice ended, and why."""

    job_table: str
    task_id: int
    token: UUID
    owner: str
    outcome: str
    reason: str
    detail: str | None = None
    delay: timedelta = timedelta(0)
    newest_page: int = 0
    """Number of the newest page the holder stored; a task that lacks it is not closed."""
    result: str | None = None
    """What a background job gives, as JSON text."""
    evidence: str | None = None
    """What the slice did, as JSON text."""


UNCOUNTED_WAITS = ["rate_limit", "budget"]
"""Waits that our own limits ask for; they say nothing about the job."""


@dataclass(frozen=True, slots=True)
class Held:
    """A task locked for the rest of the transaction, and why somebody wants its job stopped, if so."""

    cancelled: str | None


_OWN = "id = %(task_id)s AND state = 'leased' AND token = %(token)s"
# A fail-over may have lost pages that the holder counts as stored: what it thinks finished is not.
_WHOLE = """coalesce((SELECT k.seq FROM worker.checkpoints k WHERE k.task_id = %(task_id)s), 0) >= %(newest_page)s"""
_EVIDENCE = "%(evidence)s::text AS evidence"
GIVE_UP_LEASE = "last_token = token, token = NULL, owner = NULL, expires_at = NULL, slices = slices + 1"
NOTE = """
    INSERT INTO worker.attempts (task_id, epoch, owner, outcome, reason, detail, evidence, started_at)
    SELECT id, epoch, %(owner)s, %(outcome)s::text, %(reason)s::text, left(%(detail)s::text, 4000),
           evidence::jsonb, claimed_at
      FROM own
"""
"""Notes the attempt. ``own`` gives what the task was, and the ``evidence`` as text."""
_TELL: dict[str, LiteralString] = {
    "scraping_jobs": """
        (SELECT count(worker.tell_of_job(r.id, e.type, own.epoch::text,
                                         r.told || jsonb_build_object('reason', %(reason)s::text)))
           FROM row r, own,
                unnest(ARRAY[CASE %(outcome)s::text WHEN 'completed' THEN 'job_completed' WHEN 'timeout'
                                  THEN 'job_timeout' ELSE 'job_failed' END,
                             CASE WHEN %(reason)s::text = 'plan_limit' THEN 'plan_limit_reached' END]) AS e (type)
          WHERE e.type IS NOT NULL)
    """,
    "background_jobs": "0",
    "search_jobs": "0",
}
"""Tells the application how a job ended, in the same transaction. Of background jobs it asked no events; the end of a
search tells of itself."""


async def close(connection: AsyncConnection[Any], settlement: Settlement) -> Settled:
    """End a task and its row: ``completed``, ``error`` or ``timeout``; results stay.

    A row that is no longer ``processing`` keeps its word; if it is pending again, adoption hears of it. A task whose
    newest pages a fail-over lost is not the holder's to end. The end of a scraping job or search raises its event, one
    an epoch. Locks: task, then row. Plan: three primary keys.
    """
    return await _settle(
        connection,
        settlement,
        f"""
        WITH own AS (
            UPDATE worker.tasks
               SET state = 'closed', closed_at = clock_timestamp(), end_reason = %(reason)s::text,
                   failures = failures + (%(outcome)s::text = 'error' AND %(reason)s::text <> 'cancelled')::integer,
                   {GIVE_UP_LEASE}
             WHERE {_OWN} AND {_WHOLE}
            RETURNING id, job_table, job_id, epoch, claimed_at, failures, %(result)s::text AS result, {_EVIDENCE}),
        row AS ({CLOSE_ROW[settlement.job_table]}),
        again AS (
            INSERT INTO worker.inbox (job_table, job_id)
            SELECT job_table, job_id FROM own WHERE NOT EXISTS (SELECT FROM row)),
        note AS ({NOTE})
        SELECT EXISTS (SELECT FROM own), EXISTS (SELECT FROM row), {_TELL[settlement.job_table]}
        """,
    )


async def hold(connection: AsyncConnection[Any], task_id: int, token: UUID) -> Held | None:
    """Lock a task until the transaction ends, so that nobody takes it meanwhile; None when the token is not its own.

    Beats and sweeps skip a locked task; a cancellation waits. Locks: task. Plan: primary key.
    """
    cursor = await connection.execute(
        "SELECT CASE WHEN cancel_at IS NOT NULL THEN coalesce(cancel_reason, '') END FROM worker.tasks"
        " WHERE id = %s AND state = 'leased' AND token = %s FOR NO KEY UPDATE",
        (task_id, token),
    )
    row = await cursor.fetchone()
    return None if row is None else Held(cancelled=row[0])


async def close_outside(connection: AsyncConnection[Any], settlement: Settlement) -> Settled:
    """End a task whose row the application ended, reset or deleted; the row keeps its word.

    The inbox gets the row once more: if it is pending again, adoption reopens the task. Locks: task.
    """
    return await _settle(
        connection,
        settlement,
        f"""
        WITH own AS (
            UPDATE worker.tasks
               SET state = 'closed', closed_at = clock_timestamp(), end_reason = 'outside', {GIVE_UP_LEASE}
             WHERE {_OWN}
            RETURNING id, job_table, job_id, epoch, claimed_at, {_EVIDENCE}),
        again AS (
            INSERT INTO worker.inbox (job_table, job_id) SELECT job_table, job_id FROM own),
        note AS ({NOTE})
        SELECT EXISTS (SELECT FROM own), false
        """,
    )


async def give_back(connection: AsyncConnection[Any], settlement: Settlement) -> Settled:
    """Put a task back to go on later: ``continue`` (its place kept), ``wait`` or ``retry`` (due after ``delay``).

    Only ``retry`` spends an attempt, only ``wait`` counts as a wait, and not where a limit of ours held it back.
    A scraping job's row stays ``processing``; a background job's goes back to ``pending`` at its new time, as the
    application reads it.
    Locks: task, then row. Plan: two primary keys.
    """
    return await _settle(
        connection,
        settlement,
        f"""
        WITH own AS (
            UPDATE worker.tasks
               SET state = CASE WHEN %(later)s THEN 'waiting' ELSE 'ready' END,
                   run_at = CASE WHEN %(later)s THEN clock_timestamp() + %(delay)s ELSE run_at END,
                   wait_reason = CASE WHEN %(later)s THEN left(%(reason)s::text, 200) END,
                   failures = failures + (%(outcome)s::text = 'retry')::integer,
                   waits = waits + (%(outcome)s::text = 'wait' AND %(reason)s::text <> ALL (%(uncounted)s))::integer,
                   {GIVE_UP_LEASE}
             WHERE {_OWN}
            RETURNING id, job_id, epoch, claimed_at, failures, run_at, {_EVIDENCE}),
        row AS ({PUT_OFF_ROW[settlement.job_table]}),
        note AS ({NOTE})
        SELECT EXISTS (SELECT FROM own), EXISTS (SELECT FROM row)
        """,
    )


async def settled_by(connection: AsyncConnection[Any], task_id: int, token: UUID) -> bool:
    """Whether this token has settled the task: the answer after a settle whose reply was lost. No locks."""
    cursor = await connection.execute("SELECT last_token = %s FROM worker.tasks WHERE id = %s", (token, task_id))
    row = await cursor.fetchone()
    return bool(row and row[0])


async def _settle(connection: AsyncConnection[Any], settlement: Settlement, statement: LiteralString) -> Settled:
    parameters: dict[str, object] = {name: getattr(settlement, name) for name in Settlement.__slots__}
    parameters["uncounted"] = UNCOUNTED_WAITS
    parameters["later"] = settlement.outcome in ("wait", "retry")
    cursor = await connection.execute(statement, parameters)
    row = await cursor.fetchone()
    assert row is not None  # noqa: S101 - a SELECT without FROM gives one row
    return Settled(owned=row[0], row_written=row[1])
