"""Which jobs an operator means: the conditions of each table, and the rows that they find."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, LiteralString

from psycopg import Connection
from psycopg.rows import class_row

from db.queries.search_jobs import there_are_searches


@dataclass(frozen=True, slots=True)
class Chosen:
    """One job that is meant, and what decides whether an action may touch it."""

    id: str
    job_table: str
    kind: str
    """``keyword`` or ``similar``, or the type of a background job."""
    platform: str | None
    user_id: str | None
    status: str
    state: str | None
    """The task's; None where the row has none."""
    results: int
    error: str | None
    created_at: datetime


_IN_TIME: Final[LiteralString] = """
    (%(since)s::timestamptz IS NULL OR j.updated_at >= %(since)s::timestamptz AT TIME ZONE 'UTC')
    AND (%(until)s::timestamptz IS NULL OR j.updated_at < %(until)s::timestamptz AT TIME ZONE 'UTC')
    AND (%(status)s::text IS NULL OR j.status = %(status)s)
"""

MEANT: Final[dict[str, LiteralString]] = {
    "scraping_jobs": f"""
        {_IN_TIME}
        AND (%(ids)s::text[] IS NULL OR j.id = ANY (%(ids)s::uuid[]))
        AND (%(platform)s::text IS NULL OR lower(btrim(j.platform)) = lower(btrim(%(platform)s)))
        AND (%(kind)s::text IS NULL OR %(kind)s = CASE WHEN j.target_username IS NULL THEN 'keyword' ELSE 'similar' END)
        AND (%(campaign)s::uuid IS NULL OR j.campaign_id = %(campaign)s::uuid)
        AND (%(user)s::text IS NULL OR j.user_id = %(user)s)
        AND (%(error_like)s::text IS NULL OR strpos(lower(j.error), lower(%(error_like)s)) > 0)
    """,
    "background_jobs": f"""
        {_IN_TIME}
        AND (%(ids)s::text[] IS NULL OR j.id = ANY (%(ids)s::uuid[]))
        AND %(platform)s::text IS NULL
        AND (%(kind)s::text IS NULL OR j.job_type = %(kind)s)
        AND (%(campaign)s::uuid IS NULL OR lower(j.payload ->> 'campaignId') = %(campaign)s::uuid::text)
        AND (%(user)s::text IS NULL OR j.payload ->> 'userId' = %(user)s)
        AND (%(error_like)s::text IS NULL OR strpos(lower(j.error), lower(%(error_like)s)) > 0)
    """,
    "search_jobs": f"""
        {_IN_TIME}
        AND (%(ids)s::text[] IS NULL OR w.key = ANY (%(ids)s::uuid[]))
        AND (%(platform)s::text IS NULL OR lower(btrim(j.platform)) = lower(btrim(%(platform)s)))
        AND (%(kind)s::text IS NULL
             OR %(kind)s = CASE WHEN j.search_type ILIKE '%%similar%%' THEN 'similar' ELSE 'keyword' END)
        AND (%(campaign)s::uuid IS NULL OR j.campaign_id = %(campaign)s::uuid)
        AND (%(user)s::text IS NULL OR coalesce(w.user_id, c.user_id) = %(user)s)
        AND (%(error_like)s::text IS NULL OR strpos(lower(e.detail), lower(%(error_like)s)) > 0)
    """,
}
"""Conditions on a row ``j``, by job table; what is not given is NULL.

A search has no column for its error: ``e`` gives the detail of its newest attempt, ``w`` and ``c`` what it asks for and
its campaign. A text to be found in the error is no pattern: each letter stands for itself.
"""

OF_SEARCHES: Final[LiteralString] = """
    public.search_jobs j
    LEFT JOIN worker.searches w ON w.job_id = j.id
    LEFT JOIN public.campaigns c ON c.id = j.campaign_id
    LEFT JOIN worker.tasks t ON t.job_table = 'search_jobs' AND t.job_id = w.key::text
    LEFT JOIN LATERAL (
         SELECT a.detail FROM worker.attempts a
          WHERE a.task_id = t.id AND j.status IN ('error', 'timeout') ORDER BY a.id DESC LIMIT 1) e ON true
"""
"""Searches with all that their conditions look at; those that the engine does not know yet have no ``w``."""

_CHOOSE: Final[dict[str, LiteralString]] = {
    "scraping_jobs": f"""
        SELECT j.id::text AS id, 'scraping_jobs' AS job_table,
               CASE WHEN j.target_username IS NULL THEN 'keyword' ELSE 'similar' END AS kind, j.platform, j.user_id,
               j.status, t.state, j.processed_results AS results, j.error, j.created_at
          FROM public.scraping_jobs j
          LEFT JOIN worker.tasks t ON t.job_table = 'scraping_jobs' AND t.job_id = j.id::text
         WHERE {MEANT["scraping_jobs"]} AND (%(words)s::text[] IS NULL OR j.status = ANY (%(words)s))
         ORDER BY j.created_at, j.id LIMIT %(limit)s
    """,
    "background_jobs": f"""
        SELECT j.id::text AS id, 'background_jobs' AS job_table, j.job_type AS kind, NULL AS platform,
               j.payload ->> 'userId' AS user_id, j.status, t.state, 0 AS results, j.error, j.created_at
          FROM public.background_jobs j
          LEFT JOIN worker.tasks t ON t.job_table = 'background_jobs' AND t.job_id = j.id::text
         WHERE {MEANT["background_jobs"]} AND (%(words)s::text[] IS NULL OR j.status = ANY (%(words)s))
         ORDER BY j.created_at, j.id LIMIT %(limit)s
    """,
    "search_jobs": f"""
        SELECT w.key::text AS id, 'search_jobs' AS job_table,
               CASE WHEN j.search_type ILIKE '%%similar%%' THEN 'similar' ELSE 'keyword' END AS kind, j.platform,
               coalesce(w.user_id, c.user_id) AS user_id, j.status, t.state, j.completed_count AS results,
               e.detail AS error, j.created_at
          FROM {OF_SEARCHES}
         WHERE w.key IS NOT NULL AND {MEANT["search_jobs"]}
           AND (%(words)s::text[] IS NULL OR j.status = ANY (%(words)s))
         ORDER BY j.created_at, w.key LIMIT %(limit)s
    """,
}


def choose(
    connection: Connection, job_table: str, meant: Mapping[str, Any], words: Sequence[str] | None, limit: int
) -> list[Chosen]:
    """Jobs of one table that are meant, oldest first; ``words`` are those that their status may say, None for any.

    No locks. Plan: primary keys for ids; else one scan of the application's rows, or their index of status, and a sort
    that keeps ``limit``.
    """
    if job_table == "search_jobs" and not there_are_searches(connection):
        return []
    with connection.cursor(row_factory=class_row(Chosen)) as cursor:
        return cursor.execute(
            _CHOOSE[job_table], {**meant, "words": None if words is None else list(words), "limit": limit}
        ).fetchall()
