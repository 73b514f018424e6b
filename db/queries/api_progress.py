"""Where jobs stand, for those who watch them. Reads only, no locks."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from psycopg import AsyncConnection
from psycopg.rows import class_row

OPEN: Final = frozenset({"pending", "queued", "processing"})
"""Words of a row that has not ended; any other word ends it, the application's own too."""


@dataclass(frozen=True, slots=True)
class Standing:
    """One job as it stands. ``progress`` is 0 to 100; it, ``results`` and ``target`` are of searches for creators."""

    job_id: str
    table: str
    status: str
    progress: float | None
    results: int | None
    target: int | None
    pages: int
    state: str | None
    """The task's: ``waiting``, ``ready``, ``leased``, ``parked``, ``closed``; None before a reconciler saw the row."""
    reason: str | None
    """Why the task waits, or why it ended."""
    error: str | None

    @property
    def final(self) -> bool:
        """Whether the job has ended."""
        return self.status not in OPEN


async def standings(connection: AsyncConnection[Any], job_ids: Sequence[str]) -> dict[str, Standing]:
    """Where these jobs of any table stand, by id; those that are not there are left out.

    Plan: primary and unique keys, a probe of each a job.
    """
    async with connection.cursor(row_factory=class_row(Standing)) as cursor:
        await cursor.execute(
            """
            WITH asked AS MATERIALIZED (SELECT unnest(%s::uuid[]) AS id),
            found AS (
                SELECT j.id::text AS job_id, 'scraping_jobs' AS job_table, j.status::text,
                       least(greatest(coalesce(j.progress, 0), 0), 100)::float AS progress,
                       j.processed_results AS results, j.target_results AS target, left(j.error, 4000) AS error
                  FROM asked a JOIN public.scraping_jobs j ON j.id = a.id
                UNION ALL
                SELECT b.id::text, 'background_jobs', b.status, NULL, NULL, NULL, left(b.error, 4000)
                  FROM asked a JOIN public.background_jobs b ON b.id = a.id
                UNION ALL
                SELECT w.key::text, 'search_jobs', s.doc ->> 'status',
                       CASE s.doc ->> 'status' WHEN 'completed' THEN 100
                            ELSE least(99, 100.0 * (s.doc ->> 'completed_count')::integer
                                           / greatest((s.doc ->> 'total_count')::integer, 1)) END::float,
                       (s.doc ->> 'completed_count')::integer, (s.doc ->> 'total_count')::integer, NULL
                  FROM asked a JOIN worker.searches w ON w.key = a.id
                 CROSS JOIN LATERAL worker.search_row(w.key) AS s (doc)
                 WHERE s.doc IS NOT NULL)
            SELECT f.job_id, f.job_table AS table, f.status, f.progress, f.results, f.target,
                   coalesce(c.seq, 0) AS pages, t.state, coalesce(t.wait_reason, t.end_reason) AS reason, f.error
              FROM found f
              LEFT JOIN worker.tasks t ON t.job_table = f.job_table AND t.job_id = f.job_id
              LEFT JOIN worker.checkpoints c ON c.task_id = t.id
            """,
            (list(job_ids),),
        )
        return {one.job_id: one for one in await cursor.fetchall()}
