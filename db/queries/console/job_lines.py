"""Jobs as a list shows them, by their ids: the row, its task, what holds its lane, and the pace of its newest pages."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from psycopg import AsyncConnection

from db.queries.console.reading import rows_of

PACE_PAGES: Final = 6
"""The newest pages whose pace tells how long the rest takes; the first of them is only where the clock starts."""


@dataclass(frozen=True, slots=True)
class JobLine:
    """One scraping job or search. ``id`` is how the engine knows it, ``name`` what its own table calls it.

    ``stored`` creators came in ``seconds``, by the newest pages.
    """

    job_table: str
    id: str
    name: str
    user_id: str | None
    platform: str
    keywords: Any
    target_username: str | None
    status: str
    progress: float
    results: int
    target: int
    created_at: datetime
    error: str | None
    state: str | None
    reason: str | None
    run_at: datetime | None
    cancel_at: datetime | None
    lane: str | None
    paused: bool | None
    cooling: bool | None
    stored: int | None
    seconds: float | None


_ENGINE: Final = """
      t.state, coalesce(t.wait_reason, t.end_reason) AS reason, t.run_at, t.cancel_at, t.lane, n.paused,
      n.cooldown_until > clock_timestamp() AS cooling, p.stored, p.seconds
"""

_PACE: Final = """
    LEFT JOIN worker.lanes n ON n.lane = t.lane
    LEFT JOIN LATERAL (
         SELECT sum(g.stored) FILTER (WHERE g.place < g.pages)::bigint AS stored,
                extract(epoch FROM max(g.written_at) - min(g.written_at))::float AS seconds
           FROM (SELECT stored, written_at, row_number() OVER (ORDER BY seq DESC) AS place, count(*) OVER () AS pages
                   FROM (SELECT seq, stored, written_at FROM worker.pages
                          WHERE task_id = t.id ORDER BY seq DESC LIMIT %(pages)s) newest) g
         ) p ON t.state NOT IN ('closed', 'parked')
"""


async def scraping_lines(connection: AsyncConnection[Any], ids: Sequence[str]) -> list[JobLine]:
    """These rows of ``scraping_jobs``, in this order, without those that are gone. Plan: primary and unique keys."""
    return await rows_of(
        connection,
        JobLine,
        f"""
        SELECT 'scraping_jobs' AS job_table, j.id::text, j.id::text AS name, j.user_id, j.platform, j.keywords,
               j.target_username, j.status, coalesce(j.progress, 0)::float AS progress, j.processed_results AS results,
               j.target_results AS target, j.created_at, j.error, {_ENGINE}
          FROM unnest(%(ids)s::uuid[]) WITH ORDINALITY AS w (id, place)
          JOIN public.scraping_jobs j ON j.id = w.id
          LEFT JOIN worker.tasks t ON t.job_table = 'scraping_jobs' AND t.job_id = j.id::text
          {_PACE}
         ORDER BY w.place
        """,
        {"ids": list(ids), "pages": PACE_PAGES},
    )


async def search_lines(connection: AsyncConnection[Any], keys: Sequence[str]) -> list[JobLine]:
    """These searches by their keys, in this order. Call it only where the table is. Plan: primary and unique keys."""
    return await rows_of(
        connection,
        JobLine,
        f"""
        SELECT 'search_jobs' AS job_table, w.key::text AS id, s.id AS name, w.user_id, s.platform, w.keywords,
               w.target_username, s.status,
               CASE s.status WHEN 'completed' THEN 100
                    ELSE least(99, 100.0 * s.completed_count / greatest(s.total_count, 1)) END::float AS progress,
               s.completed_count AS results, s.total_count AS target, s.created_at,
               CASE WHEN s.status IN ('error', 'timeout') THEN
                    (SELECT a.detail FROM worker.attempts a WHERE a.task_id = t.id ORDER BY a.id DESC LIMIT 1)
                    END AS error, {_ENGINE}
          FROM unnest(%(ids)s::uuid[]) WITH ORDINALITY AS asked (key, place)
          JOIN worker.searches w ON w.key = asked.key
          JOIN public.search_jobs s ON s.id = w.job_id
          LEFT JOIN worker.tasks t ON t.job_table = 'search_jobs' AND t.job_id = w.key::text
          {_PACE}
         ORDER BY asked.place
        """,
        {"ids": list(keys), "pages": PACE_PAGES},
    )
