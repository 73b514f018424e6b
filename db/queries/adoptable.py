"""What adoption needs to know of each of the application's job tables: the pieces in which they differ."""

from dataclasses import dataclass
from typing import Final, LiteralString


@dataclass(frozen=True, slots=True)
class Adoptable:
    """The pieces of one table."""

    waiting: LiteralString
    """Rows that wait for their task, each with the UUID by which the engine knows it as ``id``."""
    asks: LiteralString
    """What such a row, among ``found``, asks of its task.

    A lane is made by configuration; what has none goes to a lane whose worker says so on the row. A tenant's name is
    cut, because it is part of an index: one that is too long for it must not stop the adoption of all others.
    """
    stored: LiteralString = "SELECT a.id, '' FROM adopted a WHERE false"
    """Dedupe keys of what is stored already for tasks, among ``adopted``, that have no checkpoint.

    Such a task starts at the first page. Where its row has results all the same, its record was lost or pruned: without
    these the walk would store every creator again.
    """
    names: LiteralString | None = None
    """A statement that names rows whose ``id`` the engine does not know yet."""


_SCRAPING: Final = Adoptable(
    waiting="""
        SELECT j.id, j.platform, j.user_id, j.timeout_at FROM public.scraping_jobs j WHERE j.status = 'pending'
    """,
    asks="""
        SELECT 'scraping_jobs' AS job_table, j.id::text AS job_id, coalesce(n.lane, 'scrape.unroutable') AS lane,
               left(j.user_id, 200) AS tenant, 100 AS priority, clock_timestamp() AS run_at,
               j.timeout_at AT TIME ZONE 'UTC' AS deadline_at, 0 AS failures, NULL::integer AS max_failures
          FROM found j
          LEFT JOIN worker.lanes n ON n.lane = 'scrape.' || lower(btrim(j.platform))
    """,
    # The keys are those of the page loop: the platform's id of the creator, or of the video where the job asks for it.
    stored="""
        SELECT DISTINCT a.id, k.key
          FROM adopted a
          JOIN public.scraping_jobs j ON j.id = a.job_id::uuid AND j.processed_results > 0
          JOIN public.scraping_results r ON r.job_id = j.id
         CROSS JOIN LATERAL jsonb_array_elements(
               CASE jsonb_typeof(r.creators) WHEN 'array' THEN r.creators ELSE '[]' END) c (doc)
         CROSS JOIN LATERAL (
               SELECT CASE lower(btrim(j.search_params ->> 'dedupe')) WHEN 'video' THEN c.doc -> 'video' ->> 'id'
                           ELSE c.doc -> 'creator' ->> 'id' END AS key) k
         WHERE k.key IS NOT NULL AND NOT EXISTS (SELECT FROM worker.checkpoints p WHERE p.task_id = a.id)
    """,
)

_BACKGROUND: Final = Adoptable(
    waiting="""
        SELECT j.id, j.job_type, j.payload, j.priority, j.scheduled_for, j.retry_count, j.max_retries
          FROM public.background_jobs j WHERE j.status = 'pending'
    """,
    asks="""
        SELECT 'background_jobs' AS job_table, b.id::text AS job_id, coalesce(n.lane, 'job.unroutable') AS lane,
               coalesce(left(b.payload ->> 'userId', 200), '-') AS tenant, b.priority,
               b.scheduled_for AT TIME ZONE 'UTC' AS run_at, NULL::timestamptz AS deadline_at,
               b.retry_count AS failures, b.max_retries AS max_failures
          FROM found b
          LEFT JOIN worker.lanes n ON n.lane = 'job.' || b.job_type
    """,
)

_SEARCHES: Final = Adoptable(
    waiting="""
        SELECT w.key AS id, j.platform, coalesce(w.user_id, c.user_id) AS user_id
          FROM worker.searches w JOIN public.search_jobs j ON j.id = w.job_id
          LEFT JOIN public.campaigns c ON c.id = j.campaign_id
         WHERE j.status = 'queued'
    """,
    asks="""
        SELECT 'search_jobs' AS job_table, s.id::text AS job_id, coalesce(n.lane, 'search.unroutable') AS lane,
               coalesce(left(s.user_id, 200), '-') AS tenant, 100 AS priority, clock_timestamp() AS run_at,
               NULL::timestamptz AS deadline_at, 0 AS failures, NULL::integer AS max_failures
          FROM found s
          LEFT JOIN worker.lanes n ON n.lane = 'search.' || lower(btrim(s.platform))
    """,
    stored="""
        SELECT a.id, r.profile_id
          FROM adopted a
          JOIN worker.searches w ON w.key = a.job_id::uuid
          JOIN public.search_results r ON r.job_id = w.job_id
         WHERE NOT EXISTS (SELECT FROM worker.checkpoints p WHERE p.task_id = a.id)
    """,
    names="""
        INSERT INTO worker.searches (job_id)
        SELECT j.id FROM public.search_jobs j
         WHERE j.status = 'queued' AND NOT EXISTS (SELECT FROM worker.searches w WHERE w.job_id = j.id)
        ON CONFLICT DO NOTHING
    """,
)

ADOPTABLE: Final = {"scraping_jobs": _SCRAPING, "background_jobs": _BACKGROUND, "search_jobs": _SEARCHES}
"""By job table."""
