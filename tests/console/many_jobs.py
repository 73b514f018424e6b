"""A database with many jobs, made by the server itself: what pages must be quick with."""

import psycopg

_ROWS = """
    INSERT INTO scraping_jobs (user_id, platform, keywords, status, target_results, processed_results, processed_runs,
                               progress, created_at, updated_at, started_at, completed_at, error)
    SELECT 'user_' || n %% 5000, (ARRAY['TikTok', 'Instagram', 'YouTube'])[1 + n %% 3],
           jsonb_build_array('word ' || n), s.status, 100, CASE s.status WHEN 'completed' THEN 100 ELSE n %% 100 END, 5,
           CASE s.status WHEN 'completed' THEN 100 ELSE n %% 100 END, at, at, at, at + interval '3 minutes',
           CASE s.status WHEN 'error' THEN 'provider said no to ' || n END
      FROM generate_series(1, %(many)s) n
     CROSS JOIN LATERAL (SELECT now() AT TIME ZONE 'UTC' - interval '30 days' * (1 - n::float / %(many)s) AS at) a
     CROSS JOIN LATERAL (
           SELECT CASE WHEN n > %(many)s * 0.996 THEN 'processing' WHEN n > %(many)s * 0.98 THEN 'pending'
                       WHEN n %% 20 = 0 THEN 'error' WHEN n %% 50 = 1 THEN 'timeout' ELSE 'completed' END AS status) s
"""
_TASKS = """
    INSERT INTO worker.tasks (job_table, job_id, lane, tenant, state, run_at, closed_at, end_reason, wait_reason)
    SELECT 'scraping_jobs', j.id::text, 'scrape.' || lower(j.platform), j.user_id, s.state,
           j.created_at AT TIME ZONE 'UTC' + CASE s.state WHEN 'waiting' THEN interval '31 days' ELSE interval '0' END,
           CASE s.state WHEN 'closed' THEN j.completed_at AT TIME ZONE 'UTC' END,
           CASE s.state WHEN 'closed' THEN 'target_reached' END, CASE s.state WHEN 'waiting' THEN 'rate_limit' END
      FROM scraping_jobs j
     CROSS JOIN LATERAL (
           SELECT CASE WHEN j.status IN ('completed', 'error', 'timeout') THEN 'closed'
                       WHEN j.status = 'processing' THEN 'waiting' ELSE 'ready' END AS state) s
     ORDER BY j.created_at
"""
_HISTORY = """
    INSERT INTO worker.attempts (task_id, epoch, owner, outcome, reason, started_at, ended_at)
    SELECT t.id, 1, 'w', CASE j.status WHEN 'processing' THEN 'wait' ELSE j.status END, 'target_reached', t.closed_at,
           coalesce(t.closed_at, now())
      FROM worker.tasks t JOIN scraping_jobs j ON j.id = t.job_id::uuid WHERE t.state <> 'ready';
    INSERT INTO worker.spend (job_table, job_id, tenant, provider, account, endpoint, calls, credits, spent_at)
    SELECT 'scraping_jobs', t.job_id, t.tenant, 'scrapecreators', 'a', 'tiktok/search/keyword', 5, 5,
           coalesce(t.closed_at, now()) FROM worker.tasks t;
    INSERT INTO worker.pages (task_id, seq, epoch, word, cursor, items, stored, duplicates, unreadable, credits,
                              written_at)
    SELECT t.id, g, 1, 'word', '', 20, 18, 2, 0, 1, now() - interval '1 minute' * (10 - g)
      FROM worker.tasks t, generate_series(1, 6) g WHERE t.state = 'waiting'
"""


def fill(connection: psycopg.Connection, many: int) -> None:
    """Put ``many`` scraping jobs in over 30 days, with tasks, attempts, spend and pages, and look at them once."""
    connection.execute("ALTER TABLE scraping_jobs DISABLE TRIGGER USER")
    connection.execute(
        "INSERT INTO worker.lanes (lane, max_running, max_per_tenant)"
        " SELECT 'scrape.' || name, 256, 8 FROM unnest(ARRAY['tiktok', 'instagram', 'youtube']) name"
        " ON CONFLICT DO NOTHING"
    )
    connection.execute(_ROWS, {"many": many})
    connection.execute(_TASKS)
    for statement in _HISTORY.split(";"):
        connection.execute(statement.encode())
    connection.execute("ALTER TABLE scraping_jobs ENABLE TRIGGER USER")
    for table in ("scraping_jobs", "worker.tasks", "worker.attempts", "worker.spend", "worker.pages"):
        connection.execute(f"VACUUM (ANALYZE) {table}".encode())
