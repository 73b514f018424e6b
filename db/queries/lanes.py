"""Lanes: that they exist, how many wake-ups they deserve, and when they rest."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from psycopg import Connection
from psycopg.rows import class_row

from db.session import storable


@dataclass(frozen=True, slots=True)
class NewLane:
    """A lane to make where it is missing: its name and caps."""

    name: str
    max_running: int
    max_per_tenant: int


def ensure_lanes(connection: Connection, wanted: Sequence[NewLane]) -> None:
    """Create the lanes that are missing; those that exist keep their settings. Locks: new rows."""
    connection.execute(
        """
        INSERT INTO worker.lanes (lane, max_running, max_per_tenant)
        SELECT name, max_running, max_per_tenant
          FROM unnest(%s::text[], %s::integer[], %s::integer[]) AS w (name, max_running, max_per_tenant)
         ORDER BY name
        ON CONFLICT (lane) DO NOTHING
        """,
        (
            [lane.name for lane in wanted],
            [lane.max_running for lane in wanted],
            [lane.max_per_tenant for lane in wanted],
        ),
    )


def pause(connection: Connection, lanes: Sequence[str], reason: str) -> list[str]:
    """Let no task of these lanes start; running ones go on. Gives the lanes that were not paused. Locks: the lanes."""
    rows = connection.execute(
        """
        UPDATE worker.lanes SET paused = true, paused_at = clock_timestamp(), pause_reason = left(%s, 500)
         WHERE lane = ANY (%s) AND NOT paused RETURNING lane
        """,
        (storable(reason), list(lanes)),
    ).fetchall()
    return [lane for (lane,) in rows]


def resume(connection: Connection, lanes: Sequence[str]) -> list[str]:
    """End the pause and the rest of these lanes. Gives the lanes that were held back. Locks: the lanes."""
    rows = connection.execute(
        """
        UPDATE worker.lanes
           SET paused = false, paused_at = NULL, pause_reason = NULL,
               cooldown_until = '-infinity', cooldown_reason = NULL
         WHERE lane = ANY (%s) AND (paused OR cooldown_until > clock_timestamp()) RETURNING lane
        """,
        (list(lanes),),
    ).fetchall()
    return [lane for (lane,) in rows]


def wanted_wakeups(connection: Connection) -> dict[str, int]:
    """How many slots each lane could fill now: its ready tasks, bounded by what its own and its tenants' caps leave.

    Tasks of a tenant that is at its cap do not count: waking somebody for them would only cost an empty claim. Those of
    nobody (``-``) have no such cap. Suspected tasks, of which a process has one at a time, count as one.
    No locks. Plan: ``tasks_leased``, ``tasks_suspected``, and ``tasks_ready`` by one probe a tenant, stopping at the
    lane's free slots.
    """
    rows = connection.execute(
        """
        SELECT n.lane, r.wanted + s.suspects
          FROM worker.lanes n
         CROSS JOIN LATERAL (
               SELECT count(*) AS running FROM worker.tasks t WHERE t.lane = n.lane AND t.state = 'leased') b
         CROSS JOIN LATERAL (
               SELECT count(*) AS wanted FROM (
                   WITH RECURSIVE tenants (tenant) AS (
                           (SELECT t.tenant FROM worker.tasks t
                             WHERE t.lane = n.lane AND t.state = 'ready' ORDER BY t.tenant LIMIT 1)
                       UNION ALL
                           SELECT (SELECT t.tenant FROM worker.tasks t
                                    WHERE t.lane = n.lane AND t.state = 'ready' AND t.tenant > s.tenant
                                    ORDER BY t.tenant LIMIT 1)
                             FROM tenants s WHERE s.tenant IS NOT NULL)
                   SELECT FROM tenants s
                    CROSS JOIN LATERAL (
                          SELECT FROM worker.tasks t
                           WHERE t.lane = n.lane AND t.state = 'ready' AND t.tenant = s.tenant AND t.crashes < 2
                           LIMIT CASE s.tenant WHEN '-' THEN n.max_running ELSE greatest(n.max_per_tenant - (
                                 SELECT count(*) FROM worker.tasks l
                                  WHERE l.lane = n.lane AND l.state = 'leased' AND l.tenant = s.tenant), 0) END) q
                    WHERE s.tenant IS NOT NULL
                    LIMIT greatest(n.max_running - b.running, 0)) free) r
         CROSS JOIN LATERAL (
               SELECT EXISTS (SELECT FROM worker.tasks t
                               WHERE t.lane = n.lane AND t.state = 'ready' AND t.crashes >= 2)::integer AS suspects) s
         WHERE NOT n.paused AND n.cooldown_until <= clock_timestamp() AND r.wanted + s.suspects > 0
        """
    ).fetchall()
    return dict(rows)


def cool(connection: Connection, lanes: Sequence[str], rest: timedelta, reason: str) -> datetime:
    """Let no task of these lanes start for a while; running ones go on. Gives when it ends. Locks: the lanes."""
    row = connection.execute(
        """
        WITH cooled AS (
            UPDATE worker.lanes
               SET cooldown_until = statement_timestamp() + %(rest)s, cooldown_reason = left(%(reason)s, 500)
             WHERE lane = ANY (%(lanes)s))
        SELECT statement_timestamp() + %(rest)s
        """,
        {"rest": rest, "reason": storable(reason), "lanes": list(lanes)},
    ).fetchone()
    assert row is not None  # noqa: S101 - a SELECT without FROM gives one row
    until: datetime = row[0]
    return until


def end_cooldown(connection: Connection, lanes: Sequence[str]) -> list[str]:
    """End the rest of these lanes, and no pause. Gives those that rested. Locks: the lanes."""
    rows = connection.execute(
        """
        UPDATE worker.lanes SET cooldown_until = '-infinity', cooldown_reason = NULL
         WHERE lane = ANY (%s) AND cooldown_until > clock_timestamp() RETURNING lane
        """,
        (list(lanes),),
    ).fetchall()
    return [lane for (lane,) in rows]


def paused_for(connection: Connection, beginning: str) -> list[str]:
    """Lanes that are paused for a reason that begins so. No locks."""
    rows = connection.execute(
        "SELECT lane FROM worker.lanes WHERE paused AND starts_with(pause_reason, %s) ORDER BY lane", (beginning,)
    ).fetchall()
    return [lane for (lane,) in rows]


def running(connection: Connection, lanes: Sequence[str]) -> dict[str, int]:
    """How many tasks of these lanes are leased, by lane; those with none are left out. Plan: ``tasks_leased``."""
    rows = connection.execute(
        "SELECT lane, count(*) FROM worker.tasks"
        " WHERE state = 'leased' AND lane = ANY (%s) GROUP BY lane ORDER BY lane",
        (list(lanes),),
    ).fetchall()
    return dict(rows)


@dataclass(frozen=True, slots=True)
class LaneCaps:
    """How much of a lane may run at once, and how fast waiting makes a task more urgent."""

    lane: str
    max_running: int
    max_per_tenant: int
    ageing_seconds: int


def caps(connection: Connection) -> list[LaneCaps]:
    """The caps of every lane. No locks."""
    with connection.cursor(row_factory=class_row(LaneCaps)) as cursor:
        return cursor.execute(
            "SELECT lane, max_running, max_per_tenant, ageing_seconds FROM worker.lanes ORDER BY lane"
        ).fetchall()


def set_caps(
    connection: Connection,
    lanes: Sequence[str],
    max_running: int | None,
    max_per_tenant: int | None,
    ageing_seconds: int | None,
) -> None:
    """Change the caps of these lanes; what is None stays. They hold from the next claim on. Locks: the lanes."""
    connection.execute(
        """
        UPDATE worker.lanes
           SET max_running = coalesce(%s, max_running), max_per_tenant = coalesce(%s, max_per_tenant),
               ageing_seconds = coalesce(%s, ageing_seconds)
         WHERE lane = ANY (%s)
        """,
        (max_running, max_per_tenant, ageing_seconds, list(lanes)),
    )


def server_time(connection: Connection) -> datetime:
    """The moment by the clock that decides when a task is due: Postgres' own."""
    row = connection.execute("SELECT clock_timestamp()").fetchone()
    assert row is not None  # noqa: S101 - a SELECT without FROM gives one row
    now: datetime = row[0]
    return now
