"""What processes have counted, and what is read at the moment of a scrape."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from psycopg import AsyncConnection, Connection
from psycopg.rows import class_row

MOST: Final = 10_000
"""Most tasks of a lane, or items, that a scrape counts: a backlog of millions must not cost more than one of these."""


@dataclass(frozen=True, slots=True)
class Addition:
    """What one process adds to the counters. ``seq`` numbers its additions from 1."""

    seq: int
    names: Sequence[str]
    labels: Sequence[Mapping[str, str]]
    values: Sequence[float]


_ADD: Final = """
    WITH turn AS (
        UPDATE worker.workers SET metrics_seq = %(seq)s WHERE id = %(process)s AND metrics_seq < %(seq)s RETURNING id)
    INSERT INTO worker.metrics AS m (name, labels, value)
    SELECT a.name, a.labels::jsonb, a.value
      FROM unnest(%(names)s::text[], %(labels)s::text[], %(values)s::double precision[]) AS a (name, labels, value)
     WHERE EXISTS (SELECT FROM turn) OR NOT EXISTS (SELECT FROM worker.workers w WHERE w.id = %(process)s)
     -- In one order everywhere, or two processes that add to the same rows deadlock.
     ORDER BY a.name, a.labels
    ON CONFLICT (name, labels) DO UPDATE SET value = m.value + excluded.value
"""


async def add(connection: AsyncConnection[Any], process: str, addition: Addition) -> None:
    """Add to the counters; nothing where this addition of the process was made before.

    Only a process that has given no sign of life yet cannot be told from itself: its repeat counts twice.
    Locks: the process's row, then those of its counters, in order. Plan: primary keys.
    """
    await connection.execute(_ADD, _parameters(process, addition))


def add_now(connection: Connection, process: str, addition: Addition) -> None:
    """As `add`, for a process without an event loop."""
    connection.execute(_ADD, _parameters(process, addition))


def _parameters(process: str, addition: Addition) -> dict[str, object]:
    return {
        "process": process,
        "seq": addition.seq,
        "names": list(addition.names),
        "labels": [json.dumps(labels, sort_keys=True) for labels in addition.labels],
        "values": [float(value) for value in addition.values],
    }


@dataclass(frozen=True, slots=True)
class Sample:
    """One counted sample as Prometheus names it."""

    name: str
    labels: dict[str, str]
    value: float


async def counted(connection: AsyncConnection[Any]) -> list[Sample]:
    """Everything that was counted so far. No locks. Plan: one small table."""
    async with connection.cursor(row_factory=class_row(Sample)) as cursor:
        await cursor.execute("SELECT name, labels, value FROM worker.metrics ORDER BY name, labels")
        return await cursor.fetchall()


@dataclass(frozen=True, slots=True)
class LaneGauges:
    """How a lane stands. ``oldest`` is how long, in seconds, its oldest ready task has waited; None without one."""

    lane: str
    paused: bool
    cooldown: float
    running: int
    ready: int
    waiting: int
    parked: int
    oldest: float | None


async def lane_gauges(connection: AsyncConnection[Any], most: int = MOST) -> list[LaneGauges]:
    """Every lane now; ``ready`` counts at most ``most`` of a lane, ``waiting`` the ``most`` soonest due of all lanes.

    A task that goes on at its old place has waited since its newest slice began. No locks. Plan: ``tasks_leased``,
    ``tasks_ready``, ``tasks_waiting`` and ``tasks_parked``, none of them further than ``most``.
    """
    async with connection.cursor(row_factory=class_row(LaneGauges)) as cursor:
        await cursor.execute(
            """
            WITH waiting AS MATERIALIZED (
                SELECT q.lane, count(*) AS tasks
                  FROM (SELECT t.lane FROM worker.tasks t WHERE t.state = 'waiting' ORDER BY t.run_at LIMIT %(most)s) q
                 GROUP BY q.lane),
            parked AS MATERIALIZED (
                SELECT t.lane, count(*) AS tasks FROM worker.tasks t WHERE t.state = 'parked' GROUP BY t.lane)
            SELECT n.lane, n.paused,
                   CASE WHEN n.cooldown_until > clock_timestamp()
                        THEN least(extract(epoch FROM n.cooldown_until), 1e15) - extract(epoch FROM clock_timestamp())
                        ELSE 0 END::double precision AS cooldown,
                   b.running, r.ready, coalesce(w.tasks, 0) AS waiting, coalesce(p.tasks, 0) AS parked,
                   extract(epoch FROM clock_timestamp() - r.since)::double precision AS oldest
              FROM worker.lanes n
             CROSS JOIN LATERAL (
                   SELECT count(*) AS running FROM worker.tasks t WHERE t.lane = n.lane AND t.state = 'leased') b
             CROSS JOIN LATERAL (
                   SELECT count(*) AS ready, min(q.since) AS since
                     FROM (SELECT greatest(t.run_at, t.claimed_at) AS since FROM worker.tasks t
                            WHERE t.lane = n.lane AND t.state = 'ready'
                            -- The order of the index, or a table full of closed tasks may be read through.
                            ORDER BY t.tenant, t.priority, t.run_at, t.id LIMIT %(most)s) q) r
              LEFT JOIN waiting w ON w.lane = n.lane
              LEFT JOIN parked p ON p.lane = n.lane
             ORDER BY n.lane
            """,
            {"most": most},
        )
        return await cursor.fetchall()


@dataclass(frozen=True, slots=True)
class ProcessGauges:
    """One process that has not signed off; ``silent`` is in seconds since its newest sign of life."""

    kind: str
    slots: int
    in_use: int
    polling: bool
    silent: float


async def process_gauges(connection: AsyncConnection[Any]) -> list[ProcessGauges]:
    """Every process, by the database's clock. No locks. Plan: one small table."""
    async with connection.cursor(row_factory=class_row(ProcessGauges)) as cursor:
        await cursor.execute(
            """
            SELECT kind, slots, in_use, polling,
                   extract(epoch FROM clock_timestamp() - last_tick_at)::double precision AS silent
              FROM worker.workers
            """
        )
        return await cursor.fetchall()


async def open_items(connection: AsyncConnection[Any], most: int = MOST) -> int:
    """Quarantined items that no replay has settled, at most ``most``. No locks. Plan: ``quarantine_open``."""
    cursor = await connection.execute(
        """
        SELECT count(*) FROM (
            SELECT FROM worker.quarantine
             WHERE verdict IS NULL OR verdict NOT IN ('stored', 'duplicate', 'filtered', 'dropped') LIMIT %s) q
        """,
        (most,),
    )
    row = await cursor.fetchone()
    return int(row[0]) if row else 0


async def revision(connection: AsyncConnection[Any]) -> str | None:
    """The revision of the schema. Raises `psycopg.errors.UndefinedTable` where there is none. Plan: one row."""
    row = await (await connection.execute("SELECT version_num FROM worker.alembic_version")).fetchone()
    return str(row[0]) if row else None


def lanes_of(connection: Connection, job_ids: Sequence[str]) -> list[str]:
    """The lane of each of these scraping jobs or searches, in any order. No locks. Plan: the key of the task's job."""
    rows = connection.execute(
        "SELECT lane FROM worker.tasks WHERE job_table IN ('scraping_jobs', 'search_jobs') AND job_id = ANY (%s)",
        (list(job_ids),),
    ).fetchall()
    return [lane for (lane,) in rows]
