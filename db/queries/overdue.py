"""Deadlines that pass while nobody runs the job."""

from psycopg import Connection

from db.queries.events import TOLD_OF_JOB


def sweep_overdue(connection: Connection, batch: int) -> list[str]:
    """End as ``timeout`` what nobody runs and whose deadline passed; give the job ids. Results stay.

    The row's ``timeout_at`` decides: one that the application moved is taken over instead. The deadline of a search is
    its task's alone. A running task hears of its deadline at its next page. Locks: tasks, then rows, skipping those the
    application holds. Plan: ``tasks_deadline``.
    """
    rows = connection.execute(
        f"""
        WITH late AS MATERIALIZED (
            SELECT id, job_table, job_id FROM worker.tasks
             WHERE state IN ('ready', 'waiting') AND deadline_at < statement_timestamp()
             ORDER BY deadline_at LIMIT %s FOR NO KEY UPDATE SKIP LOCKED),
        got AS MATERIALIZED (
            SELECT l.id AS task_id, j.id, j.timeout_at AT TIME ZONE 'UTC' AS deadline_at,
                   coalesce(j.timeout_at < worker.utc_now(), false) AS over,
                   j.status IN ('pending', 'processing') AS live
              FROM late l JOIN public.scraping_jobs j ON j.id = l.job_id::uuid
             WHERE l.job_table = 'scraping_jobs'
               FOR NO KEY UPDATE OF j SKIP LOCKED),
        moved AS (
            UPDATE worker.tasks t SET deadline_at = g.deadline_at
              FROM got g WHERE t.id = g.task_id AND g.live AND NOT g.over),
        ended AS (
            UPDATE worker.tasks t
               SET state = 'closed', closed_at = clock_timestamp(), wait_reason = NULL,
                   end_reason = CASE WHEN g.live THEN 'deadline' ELSE 'outside' END
              FROM got g WHERE t.id = g.task_id AND (g.over OR NOT g.live)
            RETURNING t.id, t.job_id, t.epoch, t.closed_at, g.live),
        searches AS (
            UPDATE worker.tasks t
               SET state = 'closed', closed_at = clock_timestamp(), wait_reason = NULL, end_reason = 'deadline'
              FROM late l WHERE t.id = l.id AND l.job_table = 'search_jobs' AND worker.lock_search(l.job_id::uuid)
            RETURNING t.id, t.job_id, t.epoch, t.closed_at),
        note AS (
            INSERT INTO worker.attempts (task_id, epoch, owner, outcome, reason)
            SELECT id, epoch, 'reconciler', 'timeout', 'deadline' FROM ended WHERE live
            UNION ALL SELECT id, epoch, 'reconciler', 'timeout', 'deadline' FROM searches),
        timed_out AS (
        UPDATE public.scraping_jobs j
           SET status = 'timeout', completed_at = worker.utc_now(), updated_at = worker.utc_now(),
               error = 'timeout_at passed before the work was finished; what was found is kept; '
                       'set a later timeout_at or none, then set the job to pending again'
          FROM ended e
         WHERE e.live AND j.id = e.job_id::uuid AND j.status IN ('pending', 'processing')
        RETURNING j.id, e.epoch, e.closed_at, {TOLD_OF_JOB}),
        told AS MATERIALIZED (
            SELECT count(worker.tell_of_job(
                       t.id, 'job_timeout', concat_ws(':', t.epoch, extract(epoch FROM t.closed_at)),
                       t.told || jsonb_build_object('reason', 'deadline'))) AS events
              FROM timed_out t)
        SELECT t.id::text FROM timed_out t, told
        UNION ALL
        SELECT s.job_id FROM searches s
         WHERE worker.end_search(s.job_id::uuid, '{{queued,processing}}', 'timeout', 'deadline',
                                 'the search took longer than a job may; what was found is kept; set it to queued to '
                                 'go on', concat_ws(':', s.epoch, extract(epoch FROM s.closed_at)))
        """,
        (batch,),
    ).fetchall()
    return [job_id for (job_id,) in rows]
