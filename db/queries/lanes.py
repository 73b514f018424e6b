"""Lanes: that they exist, how many wake-ups they deserve, and when they rest."""

from collections.abc import Sequence
from dataclasses import dataclass

from psycopg import Connection

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
