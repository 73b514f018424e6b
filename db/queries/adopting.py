"""How rows of the application become tasks."""

from typing import LiteralString

from psycopg import Connection

from db.queries.adoptable import ADOPTABLE

ADOPT: LiteralString = """
INSERT INTO worker.tasks AS t (job_table, job_id, lane, tenant, priority, state, run_at, deadline_at, failures,
                               max_failures, wait_reason)
SELECT a.job_table, a.job_id, a.lane, a.tenant, a.priority,
       CASE WHEN a.run_at <= clock_timestamp() THEN 'ready' ELSE 'waiting' END, a.run_at, a.deadline_at, a.failures,
       a.max_failures, CASE WHEN a.run_at > clock_timestamp() THEN 'scheduled' END
  FROM asked a
 -- In one order everywhere, or two adopters of the same rows deadlock.
 ORDER BY a.job_id
ON CONFLICT (job_table, job_id) DO UPDATE
   SET state = excluded.state, lane = excluded.lane, priority = excluded.priority, run_at = excluded.run_at,
       wait_reason = excluded.wait_reason, closed_at = NULL, claimed_at = NULL, end_reason = NULL, cancel_at = NULL,
       cancel_reason = NULL,
       -- Set back to pending, whoever did it meant it to run again: what it spent before does not count.
       failures = 0, crashes = 0, waits = 0, max_failures = excluded.max_failures,
       -- A deadline that ended an earlier run must not end this one before it starts.
       deadline_at = CASE WHEN excluded.deadline_at > clock_timestamp() THEN excluded.deadline_at END
 -- A task that closed after this statement's snapshot was closed by an end we cannot see yet.
 WHERE t.state IN ('closed', 'parked') AND t.closed_at < statement_timestamp()
RETURNING t.id, t.job_id, t.lane
"""


def job_tables(connection: Connection) -> list[str]:
    """The application's job tables that there are: one that knows nothing of searches may have dropped theirs."""
    return [
        table
        for (table,) in connection.execute(
            "SELECT t FROM unnest(%s::text[]) WITH ORDINALITY AS u (t, place)"
            " WHERE t <> 'search_jobs' OR to_regclass('public.search_jobs') IS NOT NULL ORDER BY place",
            (list(ADOPTABLE),),
        ).fetchall()
    ]


def adopt_from_inbox(connection: Connection, job_table: str, batch: int) -> tuple[int, list[str]]:
    """Make tasks of the pending rows the inbox names; give the entries taken and the lanes that got work.

    An entry whose row is no longer pending, or whose task is open, is dropped: somebody else has seen to it.
    Locks: inbox entries, then tasks. Plan: inbox by key, rows by primary key; results only of a row that has some and
    whose task has no checkpoint.
    """
    table = ADOPTABLE[job_table]
    row = connection.execute(
        f"""
        WITH oldest AS MATERIALIZED (
            SELECT id FROM worker.inbox WHERE job_table = %(job_table)s ORDER BY id LIMIT %(batch)s
               FOR UPDATE SKIP LOCKED),
        taken AS (
            DELETE FROM worker.inbox i USING oldest o WHERE i.id = o.id RETURNING i.job_id),
        named AS MATERIALIZED (SELECT DISTINCT job_id::uuid AS id FROM taken),
        found AS MATERIALIZED (
            SELECT r.* FROM named n JOIN ({table.waiting}) r ON r.id = n.id),
        asked AS MATERIALIZED ({table.asks}),
        adopted AS ({ADOPT}),
        remembered AS (
            INSERT INTO worker.seen_creators (task_id, key) {table.stored} ON CONFLICT DO NOTHING)
        SELECT (SELECT count(*) FROM taken), coalesce((SELECT array_agg(lane) FROM adopted), '{{}}')
        """.encode(),
        {"job_table": job_table, "batch": batch},
    ).fetchone()
    assert row is not None  # noqa: S101 - a SELECT without FROM gives one row
    return row[0], row[1]


def adopt_missed(connection: Connection, job_table: str, batch: int) -> list[str]:
    """Make tasks of pending rows that no trigger told of; give the lanes that got work.

    Locks: tasks. Plan: one scan of the application's rows, whatever indexes they have; so it runs each minute, not
    each tick.
    """
    table = ADOPTABLE[job_table]
    if table.names is not None:
        connection.execute(table.names)
    rows = connection.execute(
        f"""
        WITH found AS MATERIALIZED (
            SELECT r.* FROM ({table.waiting}) r
             WHERE NOT EXISTS (SELECT FROM worker.tasks o
                                WHERE o.job_table = %(job_table)s AND o.job_id = r.id::text
                                  AND o.state NOT IN ('closed', 'parked'))
             LIMIT %(batch)s),
        asked AS MATERIALIZED ({table.asks}),
        adopted AS ({ADOPT}),
        remembered AS (
            INSERT INTO worker.seen_creators (task_id, key) {table.stored} ON CONFLICT DO NOTHING)
        SELECT lane FROM adopted
        """.encode(),
        {"job_table": job_table, "batch": batch},
    ).fetchall()
    return [lane for (lane,) in rows]


def follow_changes(connection: Connection, batch: int) -> int:
    """Take over a new priority or time that the application gave a background job that nobody runs; give how many.

    Locks: tasks. Plan: open tasks, then rows by primary key; runs each minute.
    """
    return connection.execute(
        """
        WITH changed AS MATERIALIZED (
            SELECT t.id, b.priority, b.scheduled_for AT TIME ZONE 'UTC' AS run_at, b.max_retries
              FROM worker.tasks t JOIN public.background_jobs b ON b.id = t.job_id::uuid
             WHERE t.job_table = 'background_jobs' AND t.state IN ('ready', 'waiting') AND b.status = 'pending'
               AND (t.priority <> b.priority OR t.max_failures IS DISTINCT FROM b.max_retries
                    OR t.run_at IS DISTINCT FROM b.scheduled_for AT TIME ZONE 'UTC')
             LIMIT %s FOR NO KEY UPDATE OF t SKIP LOCKED)
        UPDATE worker.tasks t
           SET priority = c.priority, run_at = c.run_at, max_failures = c.max_retries,
               state = CASE WHEN c.run_at <= clock_timestamp() THEN 'ready' ELSE 'waiting' END
          FROM changed c WHERE t.id = c.id
        """,
        (batch,),
    ).rowcount


def ensure_triggers(connection: Connection) -> list[str]:
    """Put missing triggers back on the application's tables; give their names.

    Raises `psycopg.errors.InsufficientPrivilege` when the role may not. Locks: the table, only when one is missing.
    """
    return [name for (name,) in connection.execute("SELECT worker.ensure_triggers()").fetchall()]
