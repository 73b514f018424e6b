"""What a live view shows: small answers, each by an index. Reads only, no locks."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from psycopg import Connection
from psycopg.rows import class_row


@dataclass(frozen=True, slots=True)
class Running:
    """One job that a worker has now. ``progress`` is None for background jobs."""

    job_id: str
    lane: str
    tenant: str
    since: datetime
    progress: float | None
    results: int | None
    target: int | None


def longest_running(connection: Connection, most: int) -> list[Running]:
    """Jobs that run, those leased longest ago first. Plan: ``tasks_leased``, then primary keys."""
    with connection.cursor(row_factory=class_row(Running)) as cursor:
        return cursor.execute(
            """
            WITH held AS MATERIALIZED (
                SELECT t.job_table, t.job_id, t.lane, t.tenant, t.claimed_at FROM worker.tasks t
                 WHERE t.state = 'leased' ORDER BY t.claimed_at LIMIT %s)
            SELECT h.job_id, h.lane, h.tenant, h.claimed_at AS since,
                   coalesce(j.progress::float, least(99, 100.0 * (s.doc ->> 'completed_count')::integer
                       / greatest((s.doc ->> 'total_count')::integer, 1))::float) AS progress,
                   coalesce(j.processed_results, (s.doc ->> 'completed_count')::integer) AS results,
                   coalesce(j.target_results, (s.doc ->> 'total_count')::integer) AS target
              FROM held h
              LEFT JOIN public.scraping_jobs j ON h.job_table = 'scraping_jobs' AND j.id = h.job_id::uuid
              LEFT JOIN LATERAL (
                   SELECT worker.search_row(h.job_id::uuid) AS doc WHERE h.job_table = 'search_jobs') s ON true
             ORDER BY h.claimed_at
            """,
            (most,),
        ).fetchall()


def endings(connection: Connection, span: timedelta) -> dict[str, int]:
    """How the slices of the last while ended, by outcome. Plan: ``attempts_ended``."""
    rows = connection.execute(
        "SELECT outcome, count(*) FROM worker.attempts WHERE ended_at > statement_timestamp() - %s"
        " GROUP BY outcome ORDER BY count(*) DESC, outcome",
        (span,),
    ).fetchall()
    return dict(rows)


def oldest_ready(connection: Connection) -> timedelta | None:
    """How long the task has been due that waits longest for a worker; None when none does. Plan: ``tasks_ready``."""
    row = connection.execute(
        "SELECT statement_timestamp() - min(run_at) FROM worker.tasks WHERE state = 'ready'"
    ).fetchone()
    return row[0] if row else None
