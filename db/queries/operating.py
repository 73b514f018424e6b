"""What operators change."""

from collections.abc import Sequence

from psycopg import Connection


def retry_jobs(connection: Connection, job_ids: Sequence[str]) -> set[str]:
    """Set rows that ended as ``error`` or ``timeout`` back to ``pending``; give their ids.

    Adoption reopens their tasks at the checkpoint, with fresh counts and a new deadline; results are kept. The inbox is
    told here too, for a database whose triggers are missing. Locks: rows.
    """
    rows = connection.execute(
        """
        WITH again AS (
            UPDATE public.scraping_jobs
               SET status = 'pending', error = NULL, completed_at = NULL, timeout_at = NULL,
                   updated_at = worker.utc_now()
             WHERE id = ANY (%s::uuid[]) AND status IN ('error', 'timeout')
            RETURNING id::text),
        told AS (
            INSERT INTO worker.inbox (job_table, job_id) SELECT 'scraping_jobs', id FROM again)
        SELECT id FROM again
        """,
        (list(job_ids),),
    ).fetchall()
    return {job_id for (job_id,) in rows}
