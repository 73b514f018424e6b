"""Lanes, processes and what needs somebody, for the first page. Reads only, no locks."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from psycopg import AsyncConnection

from db.queries.console.reading import rows_of

MOST_READY: Final = 1000
MOST_WAITING: Final = 10_000
MOST_ENDED: Final = 10_000
MOST_ATTEMPTS: Final = 20_000
MOST_TENANTS: Final = 1000
ALIVE_SECONDS: Final = 30
"""A process that was silent for longer counts as dead: two beats at their usual pace."""


@dataclass(frozen=True, slots=True)
class LaneLine:
    """One lane. Counts stop at the limits above: ``ready`` at one more than `MOST_READY`."""

    lane: str
    paused: bool
    pause_reason: str | None
    paused_at: datetime | None
    cooldown_until: datetime | None
    cooldown_reason: str | None
    max_running: int
    max_per_tenant: int
    running: int
    ready: int
    oldest: datetime | None
    waiting: int
    next_at: datetime | None

    @property
    def held_back(self) -> bool:
        """Whether nothing of it starts."""
        return self.paused or self.cooldown_until is not None


async def lanes(connection: AsyncConnection[Any]) -> list[LaneLine]:
    """Every lane with how many of its tasks are open, and since when the oldest ready one waits.

    ``waiting`` counts the `MOST_WAITING` that are due first, of all lanes together.
    Plan: ``tasks_leased`` and ``tasks_ready`` of each lane, the first at most as many as may run; for the oldest one
    probe a tenant and priority; ``tasks_waiting`` from its start.
    """
    return await rows_of(
        connection,
        LaneLine,
        """
        WITH waiting AS MATERIALIZED (
            SELECT q.lane, count(*) AS waiting, min(q.run_at) AS next_at
              FROM (SELECT t.lane, t.run_at FROM worker.tasks t WHERE t.state = 'waiting'
                     ORDER BY t.run_at LIMIT %(most_waiting)s) q
             GROUP BY q.lane)
        SELECT n.lane, n.paused, n.pause_reason, n.paused_at,
               -- Python has no infinity; a lane that cools for ever cools to the last year.
               CASE WHEN n.cooldown_until > clock_timestamp()
                    THEN least(n.cooldown_until, '9999-12-31+00'::timestamptz) END AS cooldown_until,
               CASE WHEN n.cooldown_until > clock_timestamp() THEN n.cooldown_reason END AS cooldown_reason,
               n.max_running, n.max_per_tenant, b.running + g.groups AS running, r.ready, o.oldest,
               coalesce(w.waiting, 0) AS waiting, w.next_at
          FROM worker.lanes n
         CROSS JOIN LATERAL (
               SELECT count(*) AS running FROM worker.tasks t WHERE t.lane = n.lane AND t.state = 'leased') b
         CROSS JOIN LATERAL (
               SELECT count(*) AS groups FROM worker.group_leases k WHERE k.lane = n.lane) g
         CROSS JOIN LATERAL (
               SELECT count(*) AS ready FROM (
                   SELECT FROM worker.tasks t WHERE t.lane = n.lane AND t.state = 'ready' LIMIT %(most_ready)s) q) r
         CROSS JOIN LATERAL (
               SELECT min(p.run_at) AS oldest FROM (
                   WITH RECURSIVE firsts AS (
                           (SELECT t.tenant, t.priority, t.run_at FROM worker.tasks t
                             WHERE t.lane = n.lane AND t.state = 'ready'
                             ORDER BY t.tenant, t.priority, t.run_at LIMIT 1)
                       UNION ALL
                           SELECT q.tenant, q.priority, q.run_at FROM firsts f
                            CROSS JOIN LATERAL (
                                  SELECT t.tenant, t.priority, t.run_at FROM worker.tasks t
                                   WHERE t.lane = n.lane AND t.state = 'ready'
                                     AND (t.tenant, t.priority) > (f.tenant, f.priority)
                                   ORDER BY t.tenant, t.priority, t.run_at LIMIT 1) q)
                   SELECT run_at FROM firsts LIMIT %(most_tenants)s) p) o
          LEFT JOIN waiting w ON w.lane = n.lane
         ORDER BY n.lane
        """,
        {"most_ready": MOST_READY + 1, "most_waiting": MOST_WAITING, "most_tenants": MOST_TENANTS},
    )


@dataclass(frozen=True, slots=True)
class Failures:
    """How many jobs of a lane ended badly since ``since``."""

    lane: str
    failed: int
    since: datetime


async def failures(connection: AsyncConnection[Any]) -> list[Failures]:
    """Jobs that ended as error or timeout in a day, of as many attempts as `MOST_ATTEMPTS`, by lane.

    Plan: ``attempts_ended`` backwards, then tasks by primary key.
    """
    return await rows_of(
        connection,
        Failures,
        """
        WITH newest AS MATERIALIZED (
            SELECT task_id, outcome, ended_at FROM worker.attempts
             -- A moment that stays the same within a statement, as the index is of no use for another.
             WHERE ended_at > statement_timestamp() - interval '1 day'
             ORDER BY ended_at DESC LIMIT %(most)s)
        SELECT t.lane, count(*) AS failed,
               (SELECT CASE WHEN count(*) = %(most)s THEN min(ended_at)
                            ELSE statement_timestamp() - interval '1 day' END FROM newest) AS since
          FROM newest a
         -- One probe each: as a plain join it is planned as a scan of all tasks.
         CROSS JOIN LATERAL (SELECT lane FROM worker.tasks WHERE id = a.task_id LIMIT 1) t
         WHERE a.outcome IN ('error', 'timeout')
         GROUP BY t.lane
        """,
        {"most": MOST_ATTEMPTS},
    )


@dataclass(frozen=True, slots=True)
class Process:
    """One process of ours that has not signed off."""

    id: str
    kind: str
    host: str
    pid: int
    slots: int
    in_use: int
    polling: bool
    rss_mb: int | None
    release: str | None
    started_at: datetime
    silent_seconds: float

    @property
    def alive(self) -> bool:
        """Whether it gave a sign of life of late."""
        return self.silent_seconds < ALIVE_SECONDS


async def processes(connection: AsyncConnection[Any]) -> list[Process]:
    """Every process that has not signed off, the living first. Plan: a small table."""
    return await rows_of(
        connection,
        Process,
        """
        SELECT id, kind, host, pid, slots, in_use, polling, rss_mb, release, started_at,
               extract(epoch FROM clock_timestamp() - last_tick_at)::float AS silent_seconds
          FROM worker.workers
         ORDER BY last_tick_at < clock_timestamp() - interval '30 seconds', kind DESC, started_at
         LIMIT 200
        """,
    )


@dataclass(frozen=True, slots=True)
class Needs:
    """What somebody should look at. ``parked`` counts among the `MOST_ENDED` tasks that ended last."""

    parked: int
    parked_job: str | None
    unadopted: int
    triggers: int
    drifted: list[str]


async def needs(connection: AsyncConnection[Any]) -> Needs:
    """What the banners tell. Plan: ``tasks_closed`` backwards; the inbox, as far as 1,000; small tables."""
    (found,) = await rows_of(
        connection,
        Needs,
        """
        SELECT p.parked, p.parked_job,
               (SELECT count(*) FROM (SELECT FROM worker.inbox LIMIT 1001) q) AS unadopted,
               (SELECT count(*) FROM pg_trigger
                 WHERE tgname IN ('trawler_inserted', 'trawler_pending') AND tgenabled IN ('O', 'A')
                   AND tgrelid IN (to_regclass('public.scraping_jobs'), to_regclass('public.background_jobs')))
                   AS triggers,
               ARRAY(SELECT DISTINCT provider || ' ' || endpoint FROM worker.shapes WHERE drift IS NOT NULL) AS drifted
          FROM (SELECT count(*) AS parked, (array_agg(q.job_id))[1] AS parked_job
                  FROM (SELECT t.job_id, t.state FROM worker.tasks t WHERE t.state IN ('closed', 'parked')
                         ORDER BY t.closed_at DESC LIMIT %(most)s) q
                 WHERE q.state = 'parked') p
        """,
        {"most": MOST_ENDED},
    )
    return found
