"""What there is to know of one job, so that a command can say why it is not running. Reads only, no locks."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, LiteralString

from psycopg import Connection
from psycopg.rows import class_row, dict_row


@dataclass(frozen=True, slots=True)
class Row:
    """The application's row. Its times may lack a zone; then they are UTC."""

    job_table: str
    status: str
    error: str | None
    lane: str
    lane_exists: bool
    created_at: datetime
    updated_at: datetime


# Two statements, not a UNION: where one table's times have a zone, a UNION would move the other's.
_ROWS: dict[str, LiteralString] = {
    "scraping_jobs": """
        SELECT 'scraping_jobs' AS job_table, j.status, j.error, r.lane, n.lane IS NOT NULL AS lane_exists,
               j.created_at, j.updated_at
          FROM public.scraping_jobs j
         CROSS JOIN LATERAL (SELECT 'scrape.' || lower(btrim(j.platform)) AS lane) r
          LEFT JOIN worker.lanes n ON n.lane = r.lane
         WHERE j.id = %s::uuid
    """,
    "background_jobs": """
        SELECT 'background_jobs' AS job_table, b.status, b.error, r.lane, n.lane IS NOT NULL AS lane_exists,
               b.created_at, b.updated_at
          FROM public.background_jobs b
         CROSS JOIN LATERAL (SELECT 'job.' || b.job_type AS lane) r
          LEFT JOIN worker.lanes n ON n.lane = r.lane
         WHERE b.id = %s::uuid
    """,
    "search_jobs": """
        SELECT 'search_jobs' AS job_table, s.doc ->> 'status' AS status, NULL AS error, r.lane,
               n.lane IS NOT NULL AS lane_exists, (s.doc ->> 'created_at')::timestamp AS created_at,
               (s.doc ->> 'updated_at')::timestamp AS updated_at
          FROM worker.search_row(%s::uuid) AS s (doc)
         CROSS JOIN LATERAL (SELECT 'search.' || lower(btrim(s.doc ->> 'platform')) AS lane) r
          LEFT JOIN worker.lanes n ON n.lane = r.lane
         WHERE s.doc IS NOT NULL
    """,
}


def find_row(connection: Connection, job_id: str) -> Row | None:
    """The row, of whichever job table. Plan: primary keys."""
    for statement in _ROWS.values():
        with connection.cursor(row_factory=class_row(Row)) as cursor:
            if found := cursor.execute(statement, (job_id,)).fetchone():
                return found
    return None


@dataclass(frozen=True, slots=True)
class Task:
    """The engine's record, with its lane, its newest page and the process that holds it."""

    id: int
    job_table: str
    lane: str
    tenant: str
    priority: int
    state: str
    run_at: datetime
    wait_reason: str | None
    epoch: int
    owner: str | None
    host: str | None
    pid: int | None
    claimed_at: datetime | None
    expires_at: datetime | None
    failures: int
    crashes: int
    waits: int
    max_failures: int | None
    deadline_at: datetime | None
    cancel_at: datetime | None
    cancel_reason: str | None
    closed_at: datetime | None
    end_reason: str | None
    seq: int
    paused: bool
    pause_reason: str | None
    max_running: int
    max_per_tenant: int
    cooldown_until: datetime | None
    cooldown_reason: str | None


def find_task(connection: Connection, job_id: str) -> Task | None:
    """The task of a job. A cooldown that is over is none. Plan: unique key, then primary keys."""
    with connection.cursor(row_factory=class_row(Task)) as cursor:
        return cursor.execute(
            """
            SELECT t.id, t.job_table, t.lane, t.tenant, t.priority, t.state, t.run_at, t.wait_reason, t.epoch, t.owner,
                   w.host, w.pid, t.claimed_at, t.expires_at, t.failures, t.crashes, t.waits, t.max_failures,
                   t.deadline_at, t.cancel_at, t.cancel_reason, t.closed_at, t.end_reason, coalesce(c.seq, 0) AS seq,
                   n.paused, n.pause_reason, n.max_running, n.max_per_tenant,
                   -- Python has no infinity; a lane that cools for ever cools to the last year.
                   CASE WHEN n.cooldown_until > clock_timestamp()
                        THEN least(n.cooldown_until, '9999-12-31+00'::timestamptz) END AS cooldown_until,
                   n.cooldown_reason
              FROM worker.tasks t
              JOIN worker.lanes n ON n.lane = t.lane
              LEFT JOIN worker.checkpoints c ON c.task_id = t.id
              LEFT JOIN worker.workers w ON w.id = t.owner
             WHERE t.job_table IN ('scraping_jobs', 'background_jobs', 'search_jobs') AND t.job_id = %s
             LIMIT 1
            """,
            (job_id,),
        ).fetchone()


@dataclass(frozen=True, slots=True)
class Fleet:
    """The moment, the processes that gave a sign of life of late, and what is left of adoption's ways for this row."""

    now: datetime
    workers: int
    slots: int
    in_use: int
    polling: int
    reconcilers: int
    reconciler_since: datetime | None
    in_inbox: bool
    triggers: int


def fleet(connection: Connection, job_table: str, job_id: str, alive: timedelta) -> Fleet:
    """Who is alive, and whether the inbox names the row. Plan: small tables, one scan of the inbox, the catalog."""
    with connection.cursor(row_factory=class_row(Fleet)) as cursor:
        found = cursor.execute(
            """
            SELECT clock_timestamp() AS now, count(*) FILTER (WHERE kind = 'worker') AS workers,
                   coalesce(sum(slots), 0)::integer AS slots, coalesce(sum(in_use), 0)::integer AS in_use,
                   count(*) FILTER (WHERE polling) AS polling,
                   count(*) FILTER (WHERE kind = 'reconciler') AS reconcilers,
                   min(started_at) FILTER (WHERE kind = 'reconciler') AS reconciler_since,
                   EXISTS (SELECT FROM worker.inbox
                            WHERE job_table = %(job_table)s AND job_id = %(job_id)s) AS in_inbox,
                   (SELECT count(*) FROM pg_trigger
                     WHERE tgrelid = format('public.%%I', %(job_table)s::text)::regclass
                       AND tgname IN ('trawler_inserted', 'trawler_pending') AND tgenabled IN ('O', 'A')) AS triggers
              FROM worker.workers WHERE last_tick_at > clock_timestamp() - %(alive)s
            """,
            {"job_table": job_table, "job_id": job_id, "alive": alive},
        ).fetchone()
    assert found is not None  # noqa: S101 - an aggregate gives one row
    return found


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a task stands among those of its lane; ``before`` are all that would be claimed first, about."""

    running: int
    running_of_tenant: int
    ready: int
    ready_tenants: int
    sooner_of_tenant: int
    before: int


def standing(connection: Connection, task_id: int) -> Standing:
    """Count a lane as a claim would order it, but for priorities between tenants.

    Each tenant's next tasks stand behind as many as it has running; on one level those served longest ago come first.
    Plan: ``tasks_ready`` and ``tasks_leased`` of one lane, all of it.
    """
    with connection.cursor(row_factory=class_row(Standing)) as cursor:
        found = cursor.execute(
            """
            WITH me AS MATERIALIZED (SELECT * FROM worker.tasks WHERE id = %s),
            ready AS MATERIALIZED (
                SELECT o.tenant, count(*) AS ready,
                       count(*) FILTER (
                           WHERE (o.priority, o.run_at, o.id) < (me.priority, me.run_at, me.id)) AS sooner
                  FROM worker.tasks o JOIN me ON o.lane = me.lane WHERE o.state = 'ready' GROUP BY o.tenant),
            busy AS MATERIALIZED (
                SELECT o.tenant, count(*) AS running
                  FROM worker.tasks o JOIN me ON o.lane = me.lane WHERE o.state = 'leased' GROUP BY o.tenant),
            mine AS MATERIALIZED (
                SELECT coalesce((SELECT r.sooner FROM ready r WHERE r.tenant = me.tenant), 0) AS sooner,
                       coalesce((SELECT b.running FROM busy b WHERE b.tenant = me.tenant), 0) AS running,
                       (SELECT u.served_at FROM worker.tenant_turns u
                         WHERE u.lane = me.lane AND u.tenant = me.tenant) AS served_at
                  FROM me),
            others AS MATERIALIZED (
                SELECT CASE r.tenant WHEN '-' THEN r.ready
                       ELSE least(r.ready, greatest(n.max_per_tenant - coalesce(b.running, 0), 0)) END AS ready,
                       mine.running + mine.sooner - coalesce(b.running, 0)
                           + coalesce(coalesce(u.served_at, '-infinity') < mine.served_at, false)::integer AS levels
                  FROM me CROSS JOIN mine
                  JOIN worker.lanes n ON n.lane = me.lane
                  JOIN ready r ON r.tenant <> me.tenant
                  LEFT JOIN busy b ON b.tenant = r.tenant
                  LEFT JOIN worker.tenant_turns u ON u.lane = me.lane AND u.tenant = r.tenant)
            SELECT coalesce((SELECT sum(running) FROM busy), 0)::integer AS running,
                   mine.running AS running_of_tenant,
                   coalesce((SELECT sum(ready) FROM ready), 0)::integer AS ready,
                   (SELECT count(*) FROM ready) AS ready_tenants, mine.sooner AS sooner_of_tenant,
                   (mine.sooner + coalesce((SELECT sum(greatest(least(ready, levels), 0)) FROM others), 0))::integer
                       AS before
              FROM mine
            """,
            (task_id,),
        ).fetchone()
    assert found is not None  # noqa: S101 - the task was just read in the same snapshot
    return found


def attempts_of(connection: Connection, task_id: int) -> list[dict[str, Any]]:
    """What happened to a task, slice by slice. Plan: ``attempts_task``."""
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(
            """
            SELECT epoch, owner, outcome, reason, detail, evidence, started_at, ended_at
              FROM worker.attempts WHERE task_id = %s ORDER BY id
            """,
            (task_id,),
        ).fetchall()


def pages_of(connection: Connection, task_id: int) -> list[dict[str, Any]]:
    """A task's pages in order. Plan: primary key."""
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(
            """
            SELECT seq, epoch, provider, endpoint, word, cursor, items, stored, duplicates, unreadable, credits,
                   written_at
              FROM worker.pages WHERE task_id = %s ORDER BY seq
            """,
            (task_id,),
        ).fetchall()


def spend_of(connection: Connection, job_id: str) -> list[dict[str, Any]]:
    """Calls and credits of a job by provider. Plan: ``spend_job``."""
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(
            """
            SELECT provider, sum(calls)::bigint AS calls, sum(credits)::bigint AS credits
              FROM worker.spend WHERE job_id = %s GROUP BY provider ORDER BY min(spent_at), provider
            """,
            (job_id,),
        ).fetchall()
