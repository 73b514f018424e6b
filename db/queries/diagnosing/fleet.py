"""Who works, in which lanes, by which clock."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from psycopg import Connection
from psycopg.rows import class_row, dict_row


@dataclass(frozen=True, slots=True)
class Server:
    """The session: its moment, its zone and the backend that answers."""

    now: datetime
    time_zone: str
    is_utc: bool
    backend_pid: int


def server(connection: Connection) -> Server:
    """Ask the server for its clock and zone. A zone is UTC when it is never off, in winter or summer."""
    with connection.cursor(row_factory=class_row(Server)) as cursor:
        found = cursor.execute(
            """
            SELECT clock_timestamp() AS now, current_setting('TimeZone') AS time_zone,
                   extract(timezone FROM '2025-01-15 00:00+00'::timestamptz) = 0
                       AND extract(timezone FROM '2025-07-15 00:00+00'::timestamptz) = 0 AS is_utc,
                   pg_backend_pid() AS backend_pid
            """
        ).fetchone()
    assert found is not None  # noqa: S101 - a SELECT without FROM gives one row
    return found


def processes(connection: Connection) -> list[dict[str, Any]]:
    """Every process with the seconds since its last sign of life. One small table."""
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(
            """
            SELECT id, kind, host, pid, release, polling,
                   extract(epoch FROM clock_timestamp() - last_tick_at)::float AS silent
              FROM worker.workers ORDER BY kind, id
            """
        ).fetchall()


def lanes(connection: Connection) -> list[dict[str, Any]]:
    """Every lane, and of a paused one since when its oldest open task is due. Plan: one probe a paused lane."""
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(
            """
            SELECT n.lane, n.max_running, n.paused, n.pause_reason,
                   CASE WHEN n.paused THEN (
                       SELECT min(q.run_at) FROM (
                           SELECT t.run_at FROM worker.tasks t
                            WHERE t.lane = n.lane AND t.state = 'ready' LIMIT 1000) q) END AS waits_since
              FROM worker.lanes n ORDER BY n.lane
            """
        ).fetchall()


def late_schedules(connection: Connection, late: timedelta) -> list[str]:
    """Schedules that should have fired. One small table."""
    rows = connection.execute(
        "SELECT name FROM worker.schedules WHERE enabled AND next_at < clock_timestamp() - %s ORDER BY name", (late,)
    ).fetchall()
    return [name for (name,) in rows]
