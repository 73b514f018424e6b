"""What nobody's slice sees to: due tasks, dead leases, rows ended from outside."""

from dataclasses import dataclass

from psycopg import Connection
from psycopg.rows import class_row

from db.queries.events import TOLD_OF_JOB


@dataclass(frozen=True, slots=True)
class DeadLease:
    """One lease that ran out: who held it, and what became of the task."""

    id: int
    job_id: str
    lane: str
    owner: str
    epoch: int
    crashes: int
    state: str


def promote_due(connection: Connection, batch: int) -> int:
    """Make waiting tasks ready whose time has come; give how many. Locks: those tasks. Plan: ``tasks_waiting``.

    The statement's time is the bound, because one that changes while it runs could not bound an index scan.
    """
    return connection.execute(
        """
        WITH due AS MATERIALIZED (
            SELECT id FROM worker.tasks WHERE state = 'waiting' AND run_at <= statement_timestamp()
             ORDER BY run_at LIMIT %s FOR NO KEY UPDATE SKIP LOCKED)
        UPDATE worker.tasks t SET state = 'ready', wait_reason = NULL FROM due d WHERE t.id = d.id
        """,
        (batch,),
    ).rowcount


def sweep_dead_leases(connection: Connection, park_after: int, batch: int) -> list[DeadLease]:
    """Take back leases that ran out: a crash is counted, not a failure, and the task backs off.

    After ``park_after`` crashes without a page in between the task is parked and its row given up. The condition is
    checked again under the lock, so a beat that came first wins; a task to be parked whose row the application holds is
    left for the next sweep. The attempt keeps what is known of the crash: the process that held the task, its last tick
    and memory, and the last page. Locks: tasks, then rows, skipping locked ones. Plan: ``tasks_leased``.
    """
    with connection.cursor(row_factory=class_row(DeadLease)) as cursor:
        return cursor.execute(
            f"""
            WITH dead AS MATERIALIZED (
                SELECT id, owner, job_table, job_id, crashes + 1 >= %(park_after)s AS park FROM worker.tasks
                 WHERE state = 'leased' AND expires_at < clock_timestamp()
                 ORDER BY expires_at LIMIT %(batch)s FOR NO KEY UPDATE SKIP LOCKED),
            scraping AS MATERIALIZED (
                SELECT j.id FROM dead d JOIN public.scraping_jobs j ON j.id = d.job_id::uuid
                 WHERE d.park AND d.job_table = 'scraping_jobs'
                   FOR NO KEY UPDATE OF j SKIP LOCKED),
            background AS MATERIALIZED (
                SELECT b.id FROM dead d JOIN public.background_jobs b ON b.id = d.job_id::uuid
                 WHERE d.park AND d.job_table = 'background_jobs'
                   FOR NO KEY UPDATE OF b SKIP LOCKED),
            got AS MATERIALIZED (SELECT id FROM scraping UNION ALL SELECT id FROM background),
            held AS MATERIALIZED (
                SELECT d.id FROM dead d
                 WHERE d.park AND NOT EXISTS (SELECT FROM got g WHERE g.id = d.job_id::uuid)
                   AND (EXISTS (SELECT FROM public.scraping_jobs j WHERE j.id = d.job_id::uuid)
                        OR EXISTS (SELECT FROM public.background_jobs b WHERE b.id = d.job_id::uuid)
                        OR d.job_table = 'search_jobs' AND NOT worker.lock_search(d.job_id::uuid))),
            swept AS (
                UPDATE worker.tasks t
                   SET crashes = t.crashes + 1,
                       state = CASE WHEN d.park THEN 'parked' ELSE 'waiting' END,
                       closed_at = CASE WHEN d.park THEN clock_timestamp() END,
                       end_reason = CASE WHEN d.park THEN 'poison' END,
                       wait_reason = CASE WHEN NOT d.park THEN 'its worker died' END,
                       -- The first crash is most often a deploy or a lost machine: no reason to wait.
                       run_at = clock_timestamp() + make_interval(
                           secs => CASE t.crashes WHEN 0 THEN 0 ELSE least(300, 5 * 2 ^ t.crashes) END),
                       last_token = NULL, token = NULL, owner = NULL, expires_at = NULL
                  FROM dead d
                 WHERE t.id = d.id AND t.state = 'leased' AND t.expires_at < clock_timestamp()
                   AND NOT EXISTS (SELECT FROM held h WHERE h.id = d.id)
                RETURNING t.id, t.job_table, t.job_id, t.lane, d.owner, t.epoch, t.crashes, t.state, t.claimed_at),
            note AS (
                INSERT INTO worker.attempts (task_id, epoch, owner, outcome, reason, started_at, evidence)
                SELECT s.id, s.epoch, s.owner, 'crashed', 'lease_expired', s.claimed_at,
                       jsonb_strip_nulls(jsonb_build_object(
                           'host', w.host, 'pid', w.pid, 'last_tick_at', w.last_tick_at, 'rss_mb', w.rss_mb,
                           'release', w.release, 'last_page', (
                               SELECT max(p.seq) FROM worker.pages p WHERE p.task_id = s.id)))
                  FROM swept s LEFT JOIN worker.workers w ON w.id = s.owner),
            scraping_given_up AS (
                UPDATE public.scraping_jobs j
                   SET status = 'error', completed_at = worker.utc_now(), updated_at = worker.utc_now(),
                       error = format('worker died %%s times without progress, so the job is parked; '
                                      'look at its attempts, then retry it', s.crashes)
                  FROM swept s
                 WHERE s.job_table = 'scraping_jobs' AND s.state = 'parked' AND j.id = s.job_id::uuid
                   AND j.status = 'processing'
                RETURNING j.id, s.epoch, {TOLD_OF_JOB}),
            background_given_up AS (
                UPDATE public.background_jobs b
                   SET status = 'failed', failed_at = worker.utc_now(), updated_at = worker.utc_now(),
                       error = format('worker died %%s times over this job, so it is parked; '
                                      'look at its attempts, then retry it', s.crashes)
                  FROM swept s
                 WHERE s.job_table = 'background_jobs' AND s.state = 'parked' AND b.id = s.job_id::uuid
                   AND b.status = 'processing'),
            told AS MATERIALIZED (
                SELECT (SELECT count(worker.tell_of_job(g.id, 'job_failed', g.epoch::text,
                                                        g.told || jsonb_build_object('reason', 'poison')))
                          FROM scraping_given_up g),
                       (SELECT count(worker.end_search(
                                   s.job_id::uuid, '{{processing}}', 'error', 'poison',
                                   format('worker died %%s times without progress, so the search is parked; '
                                          'look at its attempts, then retry it', s.crashes), s.epoch::text))
                          FROM swept s WHERE s.job_table = 'search_jobs' AND s.state = 'parked'))
            SELECT id, job_id, lane, owner, epoch, crashes, state FROM swept, told
            """,
            {"park_after": park_after, "batch": batch},
        ).fetchall()


def close_foreign(connection: Connection, batch: int) -> int:
    """Close tasks nobody runs whose rows the application ended or deleted; give how many.

    Locks: tasks. Plan: open tasks, then rows by primary key; runs each minute.
    """
    return connection.execute(
        """
        WITH gone AS MATERIALIZED (
            SELECT t.id FROM worker.tasks t
             -- Named, because a later release may have tasks of tables that this one knows nothing of.
             WHERE t.state IN ('ready', 'waiting')
               AND t.job_table IN ('scraping_jobs', 'background_jobs', 'search_jobs')
               AND NOT EXISTS (SELECT FROM public.scraping_jobs j
                                WHERE t.job_table = 'scraping_jobs' AND j.id = t.job_id::uuid
                                  AND j.status IN ('pending', 'processing'))
               AND NOT EXISTS (SELECT FROM public.background_jobs b
                                WHERE t.job_table = 'background_jobs' AND b.id = t.job_id::uuid
                                  AND b.status IN ('pending', 'processing'))
               AND CASE WHEN t.job_table = 'search_jobs'
                        THEN coalesce(worker.search_row(t.job_id::uuid) ->> 'status', 'gone')
                             NOT IN ('queued', 'processing')
                        ELSE true END
             LIMIT %s FOR NO KEY UPDATE OF t SKIP LOCKED)
        UPDATE worker.tasks t
           SET state = 'closed', closed_at = clock_timestamp(), end_reason = 'outside', wait_reason = NULL
          FROM gone g WHERE t.id = g.id
        """,
        (batch,),
    ).rowcount
