"""What operators change."""

from collections.abc import Sequence

from psycopg import Connection


def retry_jobs(connection: Connection, job_ids: Sequence[str]) -> set[str]:
    """Set rows that ended as ``error`` or ``timeout``, of background jobs as ``failed``, back to ``pending``.

    A search becomes ``queued``. Gives their ids. Adoption reopens their tasks at the checkpoint, with fresh counts and
    a new deadline; results are kept. A background job is due at once. The inbox is told here too, for a database whose
    triggers are missing. Locks: rows.
    """
    rows = connection.execute(
        """
        WITH scraping AS (
            UPDATE public.scraping_jobs
               SET status = 'pending', error = NULL, completed_at = NULL, timeout_at = NULL,
                   updated_at = worker.utc_now()
             WHERE id = ANY (%(ids)s::uuid[]) AND status IN ('error', 'timeout')
            RETURNING id::text),
        background AS (
            UPDATE public.background_jobs
               SET status = 'pending', error = NULL, failed_at = NULL, retry_count = 0,
                   scheduled_for = worker.utc_now(), updated_at = worker.utc_now()
             WHERE id = ANY (%(ids)s::uuid[]) AND status = 'failed'
            RETURNING id::text),
        again AS (
            SELECT 'scraping_jobs' AS job_table, id FROM scraping
            UNION ALL
            SELECT 'background_jobs', id FROM background
            UNION ALL
            SELECT 'search_jobs', w.key::text FROM worker.searches w
             WHERE w.key = ANY (%(ids)s::uuid[]) AND worker.requeue_search(w.key)),
        told AS (
            INSERT INTO worker.inbox (job_table, job_id) SELECT job_table, id FROM again)
        SELECT id FROM again
        """,
        {"ids": list(job_ids)},
    ).fetchall()
    return {job_id for (job_id,) in rows}
