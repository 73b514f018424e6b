"""How much `db.queries.pruning` would delete; the conditions are those of its statements."""

from datetime import timedelta
from typing import Final, LiteralString

from psycopg import Connection

from db.queries.pruning import FINAL

_COUNTED: Final[dict[str, LiteralString]] = {
    "tasks": """
        SELECT FROM worker.tasks t
         WHERE t.state IN ('closed', 'parked') AND t.closed_at < statement_timestamp() - %(closed)s::interval
           AND coalesce(CASE t.job_table
                        WHEN 'scraping_jobs'
                        THEN (SELECT j.status FROM public.scraping_jobs j WHERE j.id = t.job_id::uuid)
                        WHEN 'search_jobs' THEN worker.search_row(t.job_id::uuid) ->> 'status'
                        ELSE (SELECT b.status FROM public.background_jobs b WHERE b.id = t.job_id::uuid)
                        END, 'row gone')
               = ANY (CASE t.state WHEN 'closed' THEN %(final)s::text[] ELSE '{}' END || 'row gone'::text)
    """,
    "attempts": """
        SELECT FROM worker.tasks t
         CROSS JOIN LATERAL (
               SELECT n.id FROM worker.attempts n WHERE n.task_id = t.id
                ORDER BY n.id DESC OFFSET %(keep)s LIMIT 1) edge
          JOIN worker.attempts h ON h.task_id = t.id AND h.id <= edge.id
         WHERE t.state IN ('ready', 'waiting', 'leased') AND t.epoch > %(keep)s
           AND h.ended_at < statement_timestamp() - %(attempts)s::interval
    """,
    "enqueue_keys": """
        SELECT FROM worker.enqueue_keys WHERE created_at < statement_timestamp() - %(keys)s::interval
    """,
    "creator_profiles": """
        SELECT FROM worker.creator_profiles WHERE fetched_at < statement_timestamp() - %(profiles)s::interval
    """,
    "tenant_turns": """
        SELECT FROM worker.tenant_turns u
         WHERE u.served_at < statement_timestamp() - %(closed)s::interval
           AND NOT EXISTS (SELECT FROM worker.tasks t
                            WHERE t.state IN ('ready', 'leased', 'waiting') AND t.lane = u.lane AND t.tenant = u.tenant)
    """,
    "searches": """
        SELECT FROM worker.searches w
         WHERE w.created_at < statement_timestamp() - %(closed)s::interval
           AND NOT EXISTS (SELECT FROM worker.tasks t WHERE t.job_table = 'search_jobs' AND t.job_id = w.key::text)
           AND worker.search_row(w.key) IS NULL
    """,
}


def count_prunable(
    connection: Connection,
    *,
    closed_after: timedelta,
    attempts_after: timedelta,
    keys_after: timedelta,
    profiles_after: timedelta,
    keep_attempts: int,
    most: int,
) -> dict[str, int]:
    """How many rows of each table are old enough to go, ``most`` at most. No locks.

    Plan: the indexes of ages, then primary keys; of attempts and turns a walk through open tasks.
    """
    ages = {"closed": closed_after, "attempts": attempts_after, "keys": keys_after, "profiles": profiles_after}
    found: dict[str, int] = {}
    for name, statement in _COUNTED.items():
        row = connection.execute(
            f"SELECT count(*) FROM ({statement} LIMIT %(most)s) old".encode(),
            {**ages, "final": FINAL, "keep": keep_attempts, "most": most},
        ).fetchone()
        found[name] = row[0] if row else 0
    return found
