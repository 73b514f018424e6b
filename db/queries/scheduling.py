"""Schedules, and the background jobs they put in."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import Connection
from psycopg.rows import class_row
from psycopg.types.json import Jsonb


@dataclass(frozen=True, slots=True)
class Due:
    """One schedule whose time has come, or that has no time yet (``next_at`` is None), as it was seen."""

    name: str
    cron: str
    time_zone: str
    missed: str
    next_at: datetime | None


@dataclass(frozen=True, slots=True)
class StoredSchedule:
    """One schedule as it stands in its table."""

    name: str
    cron: str
    time_zone: str
    missed: str
    job_type: str
    payload: Any
    priority: int
    enabled: bool
    next_at: datetime | None
    last_at: datetime | None


# As seen and free: what another process has in hand is its to fire, and nobody waits for a process that hangs.
_MINE = """
    mine AS MATERIALIZED (
        SELECT name FROM worker.schedules
         WHERE name = %(name)s AND enabled AND cron = %(cron)s AND time_zone = %(time_zone)s AND missed = %(missed)s
           AND next_at IS NOT DISTINCT FROM %(seen)s::timestamptz
           FOR NO KEY UPDATE SKIP LOCKED)
"""


def clock(connection: Connection) -> datetime:
    """The database's present moment, by which every schedule goes. No locks."""
    row = connection.execute("SELECT clock_timestamp()").fetchone()
    assert row is not None  # noqa: S101 - a SELECT without FROM gives one row
    return row[0]  # type: ignore[no-any-return]


def due_schedules(connection: Connection, now: datetime) -> list[Due]:
    """Schedules to fire, and those without a time, by name. No locks. Plan: a scan of a table of dozens."""
    with connection.cursor(row_factory=class_row(Due)) as cursor:
        return cursor.execute(
            """
            SELECT name, cron, time_zone, missed, next_at FROM worker.schedules
             WHERE enabled AND (next_at IS NULL OR next_at <= %s)
             ORDER BY name
            """,
            (now,),
        ).fetchall()


def move_on(connection: Connection, due: Due, next_at: datetime) -> None:
    """Give a schedule its next time without firing, if it still is as it was seen. Locks: the schedule."""
    connection.execute(
        f"""
        WITH {_MINE}
        UPDATE worker.schedules s SET next_at = %(next_at)s FROM mine m WHERE s.name = m.name
        """,
        _seen(due) | {"next_at": next_at},
    )


def fire(connection: Connection, due: Due, slot: datetime, next_at: datetime, key: str) -> tuple[str, str] | None:
    """Move a schedule on and put its job in, in one statement; give the job's id and type.

    None when another process fired it, has it in hand, or ``key`` already names a job. Raises `psycopg.DataError` or
    `psycopg.IntegrityError` when the application's table refuses the row. Locks: the schedule, the key, the new row.
    Plan: primary keys.
    """
    return connection.execute(
        f"""
        WITH {_MINE},
        moved AS (
            UPDATE worker.schedules s SET next_at = %(next_at)s, last_at = %(slot)s FROM mine m WHERE s.name = m.name
            RETURNING s.job_type, s.payload, s.priority),
        named AS (
            INSERT INTO worker.enqueue_keys (key, job_table, job_id)
            SELECT %(key)s, 'background_jobs', gen_random_uuid()::text FROM moved
            ON CONFLICT (key) DO NOTHING
            RETURNING job_id)
        INSERT INTO public.background_jobs (id, job_type, payload, priority, scheduled_for, created_at, updated_at)
        SELECT n.job_id::uuid, m.job_type, m.payload || jsonb_build_object('slot', %(slot_text)s::text), m.priority,
               %(slot)s::timestamptz AT TIME ZONE 'UTC', worker.utc_now(), worker.utc_now()
          FROM moved m CROSS JOIN named n
        RETURNING id::text, job_type
        """,
        _seen(due) | {"next_at": next_at, "slot": slot, "slot_text": slot.isoformat(), "key": key},
    ).fetchone()


def put(
    connection: Connection,
    *,
    name: str,
    cron: str,
    time_zone: str,
    job_type: str,
    payload: Mapping[str, Any],
    missed: str,
    priority: int,
    enabled: bool,
    next_at: datetime,
) -> None:
    """Insert or change a schedule; a running one whose times stay as they are keeps its ``next_at``.

    A disabled one has no ``next_at``, so that enabling it never makes up for the time between. Locks: the schedule.
    """
    connection.execute(
        """
        INSERT INTO worker.schedules AS s
               (name, cron, time_zone, job_type, payload, missed, priority, enabled, next_at)
        VALUES (%(name)s, %(cron)s, %(time_zone)s, %(job_type)s, %(payload)s, %(missed)s, %(priority)s, %(enabled)s,
                CASE WHEN %(enabled)s THEN %(next_at)s::timestamptz END)
        ON CONFLICT (name) DO UPDATE
           SET cron = excluded.cron, time_zone = excluded.time_zone, job_type = excluded.job_type,
               payload = excluded.payload, missed = excluded.missed, priority = excluded.priority,
               enabled = excluded.enabled,
               next_at = CASE WHEN excluded.enabled AND s.enabled
                               AND (s.cron, s.time_zone) = (excluded.cron, excluded.time_zone)
                              THEN coalesce(s.next_at, excluded.next_at) ELSE excluded.next_at END
        """,
        {
            "name": name,
            "cron": cron,
            "time_zone": time_zone,
            "job_type": job_type,
            "payload": Jsonb(dict(payload)),
            "missed": missed,
            "priority": priority,
            "enabled": enabled,
            "next_at": next_at,
        },
    )


def add(connection: Connection, job_type: str, cron: str, next_at: datetime) -> None:
    """Insert a schedule named after its job type, unless there is one of that name. Locks: the new row."""
    connection.execute(
        """
        INSERT INTO worker.schedules (name, cron, job_type, next_at) VALUES (%s, %s, %s, %s)
        ON CONFLICT (name) DO NOTHING
        """,
        (job_type, cron, job_type, next_at),
    )


def remove(connection: Connection, name: str) -> bool:
    """Delete a schedule; give whether there was one. Jobs it put in stay. Locks: the schedule."""
    return connection.execute("DELETE FROM worker.schedules WHERE name = %s", (name,)).rowcount == 1


def every(connection: Connection) -> list[StoredSchedule]:
    """All schedules, by name. No locks."""
    with connection.cursor(row_factory=class_row(StoredSchedule)) as cursor:
        return cursor.execute(
            """
            SELECT name, cron, time_zone, missed, job_type, payload, priority, enabled, next_at, last_at
              FROM worker.schedules ORDER BY name
            """
        ).fetchall()


def _seen(due: Due) -> dict[str, object]:
    return {
        "name": due.name,
        "cron": due.cron,
        "time_zone": due.time_zone,
        "missed": due.missed,
        "seen": due.next_at,
    }
