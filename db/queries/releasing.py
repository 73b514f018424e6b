"""Tasks that wait for a provider, let go when it was mended."""

from psycopg import Connection


def release_waiting(connection: Connection, provider: str, batch: int) -> list[str]:
    """Make tasks due at once that wait for a provider; give their jobs' ids, empty when there are no more.

    Such a task's last slice ended to wait or to try again, and either said so by the provider's name or was a walk of
    that provider. A background job's row is set to the same time. Locks: tasks, then rows of background jobs, skipping
    locked ones. Plan: waiting tasks, then one probe each of attempts, checkpoints and spend.
    """
    rows = connection.execute(
        """
        WITH waits AS MATERIALIZED (
            SELECT t.id, t.job_table, t.job_id
              FROM worker.tasks t
             CROSS JOIN LATERAL (
                   SELECT a.outcome, a.detail FROM worker.attempts a
                    WHERE a.task_id = t.id ORDER BY a.id DESC LIMIT 1) last
              LEFT JOIN worker.checkpoints k ON k.task_id = t.id
             WHERE t.state = 'waiting' AND last.outcome IN ('wait', 'retry')
               AND (strpos(last.detail, %(provider)s) > 0
                    OR %(provider)s = coalesce(k.envelope ->> 'provider', (
                           SELECT s.provider FROM worker.spend s
                            WHERE s.job_id = t.job_id ORDER BY s.spent_at DESC LIMIT 1)))
             ORDER BY t.id LIMIT %(batch)s FOR NO KEY UPDATE OF t SKIP LOCKED),
        free AS MATERIALIZED (
            SELECT b.id FROM waits w JOIN public.background_jobs b ON b.id = w.job_id::uuid
             WHERE w.job_table = 'background_jobs' AND b.status = 'pending'
               FOR NO KEY UPDATE OF b SKIP LOCKED),
        due AS (
            UPDATE public.background_jobs b SET scheduled_for = worker.utc_now(), updated_at = worker.utc_now()
              FROM free f WHERE b.id = f.id)
        UPDATE worker.tasks t SET state = 'ready', run_at = clock_timestamp(), wait_reason = NULL
          FROM waits w
         WHERE t.id = w.id
           AND (w.job_table <> 'background_jobs' OR EXISTS (SELECT FROM free f WHERE f.id = w.job_id::uuid))
        RETURNING t.job_id
        """,
        {"provider": provider, "batch": batch},
    ).fetchall()
    return [job_id for (job_id,) in rows]
