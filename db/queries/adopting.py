"""How rows of the application become tasks."""

from psycopg import Connection

_ADOPT = """
INSERT INTO worker.tasks AS t (job_table, job_id, lane, tenant, state, deadline_at)
SELECT 'scraping_jobs', j.id::text, coalesce(n.lane, %(unroutable)s), left(j.user_id, 200), 'ready',
       j.timeout_at AT TIME ZONE 'UTC'
  FROM found j
  LEFT JOIN worker.lanes n ON n.lane = 'scrape.' || lower(btrim(j.platform))
 -- In one order everywhere, or two adopters of the same rows deadlock.
 ORDER BY j.id
ON CONFLICT (job_table, job_id) DO UPDATE
   SET state = 'ready', lane = excluded.lane, run_at = clock_timestamp(), wait_reason = NULL, closed_at = NULL,
       claimed_at = NULL, end_reason = NULL, failures = 0, crashes = 0, waits = 0,
       -- A deadline that ended an earlier run must not end this one before it starts.
       deadline_at = CASE WHEN excluded.deadline_at > clock_timestamp() THEN excluded.deadline_at END
 -- A task that closed after this statement's snapshot was closed by an end we cannot see yet.
 WHERE t.state IN ('closed', 'parked') AND t.closed_at < statement_timestamp()
RETURNING t.lane
"""


def adopt_from_inbox(connection: Connection, unroutable_lane: str, batch: int) -> tuple[int, list[str]]:
    """Make tasks of the pending rows the inbox names; give the entries taken and the lanes that got work.

    An entry whose row is no longer pending, or whose task is open, is dropped: somebody else has seen to it.
    Locks: inbox entries, then tasks. Plan: inbox by key, rows by primary key.
    """
    row = connection.execute(
        f"""
        WITH oldest AS MATERIALIZED (
            SELECT id FROM worker.inbox ORDER BY id LIMIT %(batch)s FOR UPDATE SKIP LOCKED),
        taken AS (
            DELETE FROM worker.inbox i USING oldest o WHERE i.id = o.id RETURNING i.job_table, i.job_id),
        named AS MATERIALIZED (
            SELECT DISTINCT job_id::uuid AS id FROM taken WHERE job_table = 'scraping_jobs'),
        found AS MATERIALIZED (
            SELECT j.id, j.platform, j.user_id, j.timeout_at
              FROM named n JOIN public.scraping_jobs j ON j.id = n.id
             WHERE j.status = 'pending'),
        adopted AS ({_ADOPT})
        SELECT (SELECT count(*) FROM taken), coalesce((SELECT array_agg(lane) FROM adopted), '{{}}')
        """,  # noqa: S608 - built from a constant of this module
        {"unroutable": unroutable_lane, "batch": batch},
    ).fetchone()
    assert row is not None  # noqa: S101 - a SELECT without FROM gives one row
    return row[0], row[1]


def adopt_missed(connection: Connection, unroutable_lane: str, batch: int) -> list[str]:
    """Make tasks of pending rows that no trigger told of; give the lanes that got work.

    Locks: tasks. Plan: one scan of the application's rows, whatever indexes they have; so it runs each minute, not
    each tick.
    """
    rows = connection.execute(
        f"""
        WITH found AS MATERIALIZED (
            SELECT j.id, j.platform, j.user_id, j.timeout_at FROM public.scraping_jobs j
             WHERE j.status = 'pending'
               AND NOT EXISTS (SELECT FROM worker.tasks o
                                WHERE o.job_table = 'scraping_jobs' AND o.job_id = j.id::text
                                  AND o.state NOT IN ('closed', 'parked'))
             LIMIT %(batch)s)
        {_ADOPT}
        """,  # noqa: S608 - built from a constant of this module
        {"unroutable": unroutable_lane, "batch": batch},
    ).fetchall()
    return [lane for (lane,) in rows]


def ensure_triggers(connection: Connection) -> list[str]:
    """Put missing triggers back on the application's tables; give their names.

    Raises `psycopg.errors.InsufficientPrivilege` when the role may not. Locks: the table, only when one is missing.
    """
    return [name for (name,) in connection.execute("SELECT worker.ensure_triggers()").fetchall()]
