"""What the engine's own tables forget. Each statement takes one batch and never waits for a lock.

The batch is a materialized CTE everywhere: as a plain subquery with LIMIT it may be run again for each row.
"""

from datetime import datetime, timedelta
from typing import Final, LiteralString

from psycopg import Connection

FINAL: Final = ["completed", "error", "timeout", "failed", "cancelled"]
"""Words of the application's rows after which nothing follows by itself; under any other word a task is kept."""

# The cutoff is statement_timestamp(), which may bound an index scan; clock_timestamp(), being volatile, may not.
# The row's word is a subquery a task, so that rows are found by primary key however the tables have grown.
DELETE_CLOSED: Final[LiteralString] = """
WITH old AS MATERIALIZED (
    SELECT t.id, t.closed_at FROM worker.tasks t
     WHERE t.state IN ('closed', 'parked')
       AND t.closed_at < statement_timestamp() - %(age)s::interval AND t.closed_at >= %(since)s::timestamptz
       AND coalesce(CASE t.job_table
                    WHEN 'scraping_jobs' THEN (SELECT j.status FROM public.scraping_jobs j WHERE j.id = t.job_id::uuid)
                    WHEN 'search_jobs' THEN worker.search_row(t.job_id::uuid) ->> 'status'
                    ELSE (SELECT b.status FROM public.background_jobs b WHERE b.id = t.job_id::uuid)
                    END, 'row gone')
           = ANY (CASE t.state WHEN 'closed' THEN %(final)s::text[] ELSE '{}' END || 'row gone'::text)
     ORDER BY t.closed_at LIMIT %(batch)s FOR UPDATE OF t SKIP LOCKED),
deleted AS (
    DELETE FROM worker.tasks t USING old o WHERE t.id = o.id RETURNING o.closed_at)
SELECT count(*), max(closed_at) FROM deleted
"""


def delete_closed(connection: Connection, age: timedelta, since: datetime, batch: int) -> tuple[int, datetime | None]:
    """Delete tasks closed longer than ``age`` ago, from ``since`` on, with all that hangs on them.

    A closed task goes when its row is final or gone, a parked one only when its row is gone. Gives how many, and when
    the newest of them was closed: the next batch need not look before that. Locks: those tasks, skipping locked ones.
    Plan: ``tasks_closed``, then rows by primary key.
    """
    row = connection.execute(DELETE_CLOSED, {"age": age, "since": since, "final": FINAL, "batch": batch}).fetchone()
    assert row is not None  # noqa: S101 - an aggregate gives one row
    return row[0], row[1]


DELETE_ATTEMPTS: Final[LiteralString] = """
WITH open AS MATERIALIZED (
    SELECT id FROM worker.tasks WHERE state = 'ready' AND epoch > %(keep)s
    UNION ALL
    SELECT id FROM worker.tasks WHERE state = 'waiting' AND epoch > %(keep)s
    UNION ALL
    SELECT id FROM worker.tasks WHERE state = 'leased' AND epoch > %(keep)s),
old AS MATERIALIZED (
    SELECT a.id
      FROM open o
     CROSS JOIN LATERAL (
           SELECT n.id FROM worker.attempts n WHERE n.task_id = o.id ORDER BY n.id DESC OFFSET %(keep)s LIMIT 1) edge
     CROSS JOIN LATERAL (
           SELECT h.id FROM worker.attempts h
            WHERE h.task_id = o.id AND h.id <= edge.id AND h.ended_at < statement_timestamp() - %(age)s::interval
            ORDER BY h.id LIMIT %(batch)s) a
     LIMIT %(batch)s),
free AS MATERIALIZED (
    SELECT a.id FROM worker.attempts a JOIN old o ON o.id = a.id FOR UPDATE OF a SKIP LOCKED)
DELETE FROM worker.attempts a USING free f WHERE a.id = f.id
"""


def delete_attempts(connection: Connection, age: timedelta, keep: int, batch: int) -> int:
    """Delete old attempts of open tasks, but of no task the ``keep`` newest; give how many.

    A task that was claimed ``keep`` times or less is not looked at: each attempt comes of a claim. Locks: the attempts,
    skipping locked ones. Plan: the indexes of open tasks, then ``attempts_task``.
    """
    return connection.execute(DELETE_ATTEMPTS, {"age": age, "keep": keep, "batch": batch}).rowcount


def delete_keys(connection: Connection, age: timedelta, batch: int) -> int:
    """Delete old idempotency keys; give how many. Locks: the keys, skipping locked ones. Plan: by time of creation."""
    return connection.execute(
        """
        WITH old AS MATERIALIZED (
            SELECT key FROM worker.enqueue_keys WHERE created_at < statement_timestamp() - %s::interval
             ORDER BY created_at LIMIT %s FOR UPDATE SKIP LOCKED)
        DELETE FROM worker.enqueue_keys k USING old o WHERE k.key = o.key
        """,
        (age, batch),
    ).rowcount


def delete_profiles(connection: Connection, age: timedelta, batch: int) -> int:
    """Delete old profiles; give how many. Locks: the profiles, skipping locked ones.

    Plan: a scan that stops at a full batch, where no index on ``fetched_at`` spares it.
    """
    return connection.execute(
        """
        WITH old AS MATERIALIZED (
            SELECT platform, creator_id FROM worker.creator_profiles
             WHERE fetched_at < statement_timestamp() - %s::interval
             LIMIT %s FOR UPDATE SKIP LOCKED)
        DELETE FROM worker.creator_profiles p USING old o
         WHERE p.platform = o.platform AND p.creator_id = o.creator_id
        """,
        (age, batch),
    ).rowcount


def delete_turns(connection: Connection, age: timedelta, batch: int) -> int:
    """Delete the turns of tenants last served longer than ``age`` ago and without open tasks; give how many.

    Such a tenant counts as never served when it comes back, and would have been first either way. Locks: the turns,
    skipping locked ones. Plan: a scan of the turns, the indexes of open tasks.
    """
    return connection.execute(
        """
        WITH old AS MATERIALIZED (
            SELECT u.lane, u.tenant FROM worker.tenant_turns u
             WHERE u.served_at < statement_timestamp() - %s::interval
               AND NOT EXISTS (SELECT FROM worker.tasks t
                                WHERE t.state = 'ready' AND t.lane = u.lane AND t.tenant = u.tenant)
               AND NOT EXISTS (SELECT FROM worker.tasks t
                                WHERE t.state = 'leased' AND t.lane = u.lane AND t.tenant = u.tenant)
               AND NOT EXISTS (SELECT FROM worker.tasks t
                                WHERE t.state = 'waiting' AND t.lane = u.lane AND t.tenant = u.tenant)
             LIMIT %s FOR UPDATE OF u SKIP LOCKED)
        DELETE FROM worker.tenant_turns u USING old o WHERE u.lane = o.lane AND u.tenant = o.tenant
        """,
        (age, batch),
    ).rowcount


def delete_searches(connection: Connection, age: timedelta, batch: int) -> int:
    """Delete what searches asked for whose row and task are gone; give how many.

    Kept for ``age``, as it may be put in before the row is. Locks: these, skipping locked ones. Plan: a scan, then
    primary keys.
    """
    return connection.execute(
        """
        WITH old AS MATERIALIZED (
            SELECT w.job_id FROM worker.searches w
             WHERE w.created_at < statement_timestamp() - %s::interval
               AND NOT EXISTS (SELECT FROM worker.tasks t WHERE t.job_table = 'search_jobs' AND t.job_id = w.key::text)
               AND worker.search_row(w.key) IS NULL
             LIMIT %s FOR UPDATE OF w SKIP LOCKED)
        DELETE FROM worker.searches w USING old o WHERE w.job_id = o.job_id
        """,
        (age, batch),
    ).rowcount
