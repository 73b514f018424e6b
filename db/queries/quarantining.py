"""Items that could not be read: which there are."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from psycopg import Connection
from psycopg.rows import class_row, dict_row

SETTLED: Final = ("stored", "duplicate", "filtered", "dropped")
"""Verdicts that stay; an item with another one, or with none, is read again by the next replay."""

CHOSEN: Final = """
       (%(job)s::text IS NULL OR t.job_id = %(job)s)
   AND (%(provider)s::text IS NULL OR q.provider = %(provider)s)
   AND (%(endpoint)s::text IS NULL OR q.endpoint = %(endpoint)s)
   AND (%(reason)s::text IS NULL OR q.reason = %(reason)s)
"""


@dataclass(frozen=True, slots=True)
class Choice:
    """Which items; None does not choose."""

    job: str | None = None
    provider: str | None = None
    endpoint: str | None = None
    reason: str | None = None

    @property
    def values(self) -> dict[str, Any]:
        """By the names that statements use."""
        return {name: getattr(self, name) for name in ("job", "provider", "endpoint", "reason")}


@dataclass(frozen=True, slots=True)
class QuarantineLine:
    """One item in a list. ``size`` is in bytes."""

    id: int
    job_id: str
    page: int
    provider: str
    endpoint: str
    reason: str
    message: str
    size: int
    cut: bool
    found_at: datetime
    verdict: str | None


def list_items(connection: Connection, choice: Choice, limit: int) -> list[QuarantineLine]:
    """The newest items. No locks. Plan: the primary key backwards, or ``quarantine_task`` for a job."""
    with connection.cursor(row_factory=class_row(QuarantineLine)) as cursor:
        return cursor.execute(
            f"""
            SELECT q.id, t.job_id, q.seq AS page, q.provider, q.endpoint, q.reason, q.message,
                   octet_length(q.raw) AS size, q.cut, q.found_at, q.verdict
              FROM worker.quarantine q JOIN worker.tasks t ON t.id = q.task_id
             WHERE {CHOSEN}
             ORDER BY q.id DESC
             LIMIT %(limit)s
            """,
            {**choice.values, "limit": limit},
        ).fetchall()


def whole_item(connection: Connection, item_id: int) -> dict[str, Any] | None:
    """Everything kept of one item; None when there is none. No locks. Plan: primary keys."""
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(
            """
            SELECT q.id, t.job_id, q.seq AS page, q.provider, q.endpoint, q.adapter_version, q.reason, q.message,
                   q.found_at, q.walk, q.cut, q.replayed_at, q.verdict, q.raw
              FROM worker.quarantine q JOIN worker.tasks t ON t.id = q.task_id
             WHERE q.id = %s
            """,
            (item_id,),
        ).fetchone()


def tasks_with_items(connection: Connection, choice: Choice) -> list[tuple[int, str]]:
    """Task and job of those with items that are not settled, in task order. No locks. Plan: one scan of them."""
    return connection.execute(
        f"""
        SELECT DISTINCT t.id, t.job_id
          FROM worker.quarantine q JOIN worker.tasks t ON t.id = q.task_id
         WHERE {CHOSEN} AND (q.verdict IS NULL OR q.verdict <> ALL (%(settled)s))
         ORDER BY t.id
        """,
        {**choice.values, "settled": list(SETTLED)},
    ).fetchall()
