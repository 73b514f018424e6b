"""Lanes: that they exist, how many wake-ups they deserve, and when they rest."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from psycopg import AsyncConnection, Connection

from db.session import storable


def ensure_lanes(connection: Connection, lanes: Sequence[str], max_running: int, max_per_tenant: int) -> None:
    """Create the lanes that are missing; those that exist keep their settings. Locks: new rows."""
    connection.execute(
        """
        INSERT INTO worker.lanes (lane, max_running, max_per_tenant)
        SELECT name, %s, %s FROM unnest(%s::text[]) AS name
        ON CONFLICT (lane) DO NOTHING
        """,
        (max_running, max_per_tenant, list(lanes)),
    )


def wanted_wakeups(connection: Connection) -> dict[str, int]:
    """How many slots each lane could fill now: its ready tasks, bounded by what its own and its tenants' caps leave.

    Tasks of a tenant that is at its cap do not count: waking somebody for them would only cost an empty claim.
    No locks. Plan: ``tasks_leased``, and ``tasks_ready`` by one probe a tenant, stopping at the lane's free slots.
    """
    rows = connection.execute(
        """
        SELECT n.lane, r.wanted
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
                           WHERE t.lane = n.lane AND t.state = 'ready' AND t.tenant = s.tenant
                           LIMIT greatest(n.max_per_tenant - (
                                 SELECT count(*) FROM worker.tasks l
                                  WHERE l.lane = n.lane AND l.state = 'leased' AND l.tenant = s.tenant), 0)) q
                    WHERE s.tenant IS NOT NULL
                    LIMIT greatest(n.max_running - b.running, 0)) free) r
         WHERE NOT n.paused AND n.cooldown_until <= clock_timestamp() AND r.wanted > 0
        """
    ).fetchall()
    return dict(rows)


async def cool_down(connection: AsyncConnection[Any], lane: str, wait: timedelta, reason: str) -> None:
    """Let a whole lane rest for ``wait``; a longer rest already set stays. Locks: the lane."""
    await connection.execute(
        """
        UPDATE worker.lanes
           SET cooldown_until = clock_timestamp() + %(wait)s, cooldown_reason = left(%(reason)s, 500)
         WHERE lane = %(lane)s AND cooldown_until < clock_timestamp() + %(wait)s
        """,
        {"lane": lane, "wait": wait, "reason": storable(reason)},
    )
