"""What operators ask: jobs, their tasks, pages and attempts, lanes and workers. Reads only, no locks."""

from collections.abc import Sequence
from typing import Any, Literal, LiteralString

from psycopg import Connection
from psycopg.rows import dict_row


def job_row(connection: Connection, job_id: str) -> dict[str, Any] | None:
    """The application's row with its task's fields under ``task``; None when there is no such job."""
    return _one(
        connection,
        """
        SELECT j.*, to_jsonb(t) - 'token' - 'last_token' AS task
          FROM public.scraping_jobs j
          LEFT JOIN worker.tasks t ON t.job_table = 'scraping_jobs' AND t.job_id = j.id::text
         WHERE j.id = %s::uuid
        """,
        (job_id,),
    )


def pages_of(connection: Connection, task_id: int) -> list[dict[str, Any]]:
    """A task's pages in order."""
    return _all(
        connection,
        """
        SELECT seq, epoch, provider, endpoint, word, cursor, items, stored, duplicates, filtered, dropped, unreadable,
               credits, written_at
          FROM worker.pages WHERE task_id = %s ORDER BY seq
        """,
        (task_id,),
    )


def attempts_of(connection: Connection, task_id: int) -> list[dict[str, Any]]:
    """What happened to a task, slice by slice."""
    return _all(
        connection,
        """
        SELECT epoch, owner, outcome, reason, detail, started_at, ended_at
          FROM worker.attempts WHERE task_id = %s ORDER BY id
        """,
        (task_id,),
    )


def lanes(connection: Connection) -> list[dict[str, Any]]:
    """Every lane with its limits and how many of its tasks are open."""
    return _all(
        connection,
        """
        SELECT n.lane, n.paused, n.pause_reason, n.max_running, n.max_per_tenant,
               CASE WHEN n.cooldown_until > clock_timestamp() THEN n.cooldown_until END AS cooldown_until,
               CASE WHEN n.cooldown_until > clock_timestamp() THEN n.cooldown_reason END AS cooldown_reason,
               count(t.id) FILTER (WHERE t.state = 'leased') AS running,
               count(t.id) FILTER (WHERE t.state = 'ready') AS ready,
               count(t.id) FILTER (WHERE t.state = 'waiting') AS waiting,
               count(t.id) FILTER (WHERE t.state = 'parked') AS parked
          FROM worker.lanes n
          LEFT JOIN worker.tasks t ON t.lane = n.lane AND t.state <> 'closed'
         GROUP BY n.lane ORDER BY n.lane
        """,
    )


def lane_names(connection: Connection) -> list[str]:
    """Every lane there is."""
    return [lane for (lane,) in connection.execute("SELECT lane FROM worker.lanes ORDER BY lane").fetchall()]


def workers(connection: Connection) -> list[dict[str, Any]]:
    """Every process that has not signed off, with the seconds since its last sign of life."""
    return _all(
        connection,
        """
        SELECT id, kind, host, pid, slots, in_use, started_at, rss_mb, polling, release,
               round(extract(epoch FROM clock_timestamp() - last_tick_at)::numeric, 1)::float AS silent_seconds
          FROM worker.workers ORDER BY kind, started_at
        """,
    )


def job_counts(connection: Connection, table: Literal["scraping_jobs", "background_jobs"]) -> dict[str, int]:
    """How many jobs of a table have each status. Plan: one scan of the application's rows."""
    rows = connection.execute(
        f"SELECT status, count(*) FROM public.{table} GROUP BY status ORDER BY status".encode()
    ).fetchall()
    return dict(rows)


def _one(connection: Connection, statement: LiteralString, parameters: Sequence[Any]) -> dict[str, Any] | None:
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(statement, parameters).fetchone()


def _all(connection: Connection, statement: LiteralString, parameters: Sequence[Any] = ()) -> list[dict[str, Any]]:
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(statement, parameters).fetchall()
