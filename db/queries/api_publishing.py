"""What a published message about a row does: it is seen to, not before its time; twice does no more than once."""

from datetime import datetime

from psycopg import Connection

from db.queries.retrying import adopt_for


def find_scraping_status(connection: Connection, job_id: str) -> str | None:
    """The status of a scraping job; None when there is none. No locks. Plan: primary key."""
    row = connection.execute("SELECT status FROM public.scraping_jobs WHERE id = %s::uuid", (job_id,)).fetchone()
    return row[0] if row else None


def find_background_status(connection: Connection, job_id: str) -> str | None:
    """The status of a background job; None when there is none. No locks. Plan: primary key."""
    row = connection.execute("SELECT status FROM public.background_jobs WHERE id = %s::uuid", (job_id,)).fetchone()
    return row[0] if row else None


def see_to_scraping_job(connection: Connection, job_id: str, due: datetime) -> None:
    """Have a scraping job worked on, not before ``due`` unless it has begun; one that has ended is left.

    A row that says ``processing`` while no task works for it was another queue's: it is set to ``pending``, and goes on
    here. Locks: the task, then the row. Plan: unique key, primary key.
    """
    connection.execute(
        """
        UPDATE worker.tasks t
           SET state = CASE WHEN d.due > clock_timestamp() THEN 'waiting' ELSE 'ready' END, run_at = d.due,
               wait_reason = CASE WHEN d.due > clock_timestamp() THEN 'scheduled' END
          FROM (SELECT %(due)s::timestamptz AS due) d
         WHERE t.job_table = 'scraping_jobs' AND t.job_id = %(job_id)s::text
           AND t.claimed_at IS NULL AND t.cancel_at IS NULL
           -- Of two messages the sooner one counts.
           AND ((t.state = 'ready' AND d.due > clock_timestamp())
                OR (t.state = 'waiting' AND t.wait_reason = 'scheduled' AND t.run_at > d.due))
        """,
        {"job_id": job_id, "due": due},
    )
    connection.execute(
        """
        UPDATE public.scraping_jobs j SET status = 'pending', updated_at = worker.utc_now()
         WHERE j.id = %(job_id)s::uuid AND j.status = 'processing'
           AND NOT EXISTS (SELECT FROM worker.tasks t
                            WHERE t.job_table = 'scraping_jobs' AND t.job_id = %(job_id)s::text
                              AND t.state IN ('ready', 'waiting', 'leased'))
        """,
        {"job_id": job_id},
    )
    adopt_for(connection, "scraping_jobs", [job_id], [due])


def see_to_background_job(connection: Connection, job_id: str, due: datetime, max_retries: int | None) -> None:
    """Have a background job that waits run, not before ``due``, with so many retries; any other is left.

    A time to come that the row names already is kept. Locks: the task, then the row. Plan: unique key, primary key.
    """
    connection.execute(
        """
        UPDATE worker.tasks t
           SET run_at = CASE WHEN t.state = 'ready' THEN greatest(t.run_at, %(due)s::timestamptz) ELSE t.run_at END,
               state = CASE WHEN t.state = 'ready' AND %(due)s::timestamptz > clock_timestamp() THEN 'waiting'
                            ELSE t.state END,
               wait_reason = CASE WHEN t.state = 'ready' AND %(due)s::timestamptz > clock_timestamp() THEN 'scheduled'
                                  ELSE t.wait_reason END,
               max_failures = coalesce(%(max_retries)s::integer, t.max_failures)
         WHERE t.job_table = 'background_jobs' AND t.job_id = %(job_id)s::text AND t.state IN ('ready', 'waiting')
           AND t.claimed_at IS NULL AND t.cancel_at IS NULL
        """,
        {"job_id": job_id, "due": due, "max_retries": max_retries},
    )
    connection.execute(
        """
        UPDATE public.background_jobs b
           SET scheduled_for = CASE WHEN b.scheduled_for > worker.utc_now() THEN b.scheduled_for
                                    ELSE greatest(b.scheduled_for, %(due)s::timestamptz AT TIME ZONE 'UTC') END,
               max_retries = coalesce(%(max_retries)s::integer, b.max_retries), updated_at = worker.utc_now()
         WHERE b.id = %(job_id)s::uuid AND b.status = 'pending'
        """,
        {"job_id": job_id, "due": due, "max_retries": max_retries},
    )
    connection.execute(
        """
        INSERT INTO worker.inbox (job_table, job_id)
        SELECT 'background_jobs', b.id::text FROM public.background_jobs b
         WHERE b.id = %(job_id)s::uuid AND b.status = 'pending'
           AND NOT EXISTS (SELECT FROM worker.tasks t
                            WHERE t.job_table = 'background_jobs' AND t.job_id = %(job_id)s::text
                              AND t.state NOT IN ('closed', 'parked'))
        """,
        {"job_id": job_id},
    )
