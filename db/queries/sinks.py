"""Where a page's creators go, and what counts them: the pieces in which the job tables differ.

The pieces see the statement's other parts: ``fence`` (the task), ``chosen`` (``key``, ``doc``, ``place``), ``page``
(empty when nothing may be written), ``counts`` (``stored``), and ``job``, which the first piece is.
"""

from dataclasses import dataclass
from typing import Final, LiteralString


@dataclass(frozen=True, slots=True)
class Sink:
    """The pieces of one job table."""

    job: LiteralString
    """The row, as ``j``: ``id``, ``user_id``, results so far and wanted, UTC deadline. A condition may follow."""
    store: LiteralString
    """Inserts the chosen creators. What is not known of one is NULL in a column."""
    count: LiteralString
    """Adds a page up in the row."""
    add: LiteralString
    """Adds creators up that were found later, in a row that may have ended."""
    tell: LiteralString
    """Calls of a function that raises an event: to be followed by type, mark and data."""


_BATCHES: Final = Sink(
    job="""
        SELECT j.id, j.user_id, j.processed_results, j.target_results, j.timeout_at
          FROM fence f JOIN public.scraping_jobs j ON j.id = f.job_id::uuid
    """,
    store="""
        INSERT INTO public.scraping_results (job_id, creators, created_at)
        SELECT job.id, (SELECT jsonb_agg(c.doc::jsonb ORDER BY c.place) FROM chosen c), worker.utc_now()
          FROM page, job, counts WHERE counts.stored > 0
    """,
    count="""
        UPDATE public.scraping_jobs j
           SET processed_runs = j.processed_runs + 1, processed_results = j.processed_results + counts.stored,
               cursor = %(cursor_shown)s, run_id = coalesce(%(run_id)s, j.run_id), updated_at = worker.utc_now(),
               progress = greatest(coalesce(j.progress, 0), least(99, round(
                   100.0 * (j.processed_results + counts.stored) / greatest(j.target_results, 1), 2)))
          FROM page, job, counts
         WHERE j.id = job.id
    """,
    add="""
        UPDATE public.scraping_jobs j
           SET processed_results = j.processed_results + counts.stored, updated_at = worker.utc_now(),
               progress = CASE WHEN j.status = 'completed' THEN j.progress
                               ELSE greatest(coalesce(j.progress, 0), least(99, round(
                                   100.0 * (j.processed_results + counts.stored) / greatest(j.target_results, 1), 2)))
                               END
          FROM page, job, counts
         WHERE j.id = job.id
    """,
    tell="worker.tell_of_job(job.id",
)

# The address that a platform gives every handle; a channel without one has that of its id.
_PROFILE_URL: Final[LiteralString] = """
    coalesce(d.doc ->> 'profileUrl', CASE lower(d.doc ->> 'platform')
        WHEN 'tiktok' THEN 'https://www.tiktok.com/@' || nullif(d.doc -> 'creator' ->> 'uniqueId', '')
        WHEN 'instagram' THEN 'https://www.instagram.com/' || nullif(d.doc -> 'creator' ->> 'uniqueId', '')
        WHEN 'youtube' THEN coalesce(
            'https://www.youtube.com/@' || nullif(d.doc -> 'creator' ->> 'uniqueId', ''),
            'https://www.youtube.com/channel/' || nullif(d.doc -> 'creator' ->> 'id', '')) END)
"""

_COUNT_ROWS: Final[LiteralString] = """
    UPDATE public.search_jobs j
       SET completed_count = j.completed_count + counts.stored, updated_at = worker.utc_now()
      FROM page, job, counts
     WHERE j.id = job.id
"""

_ROWS: Final = Sink(
    job="""
        SELECT j.id, j.platform, coalesce(w.user_id, c.user_id) AS user_id, j.completed_count AS processed_results,
               j.total_count AS target_results, f.deadline_at AT TIME ZONE 'UTC' AS timeout_at, w.key
          FROM fence f
          JOIN worker.searches w ON w.key = f.job_id::uuid
          JOIN public.search_jobs j ON j.id = w.job_id
          LEFT JOIN public.campaigns c ON c.id = j.campaign_id
    """,
    store=f"""
        INSERT INTO public.search_results (
            job_id, profile_id, username, display_name, platform, profile_url, post_url, post_description, avatar_url,
            followers, is_verified, email, bio, raw_data, created_at)
        SELECT job.id, d.key, coalesce(nullif(d.doc -> 'creator' ->> 'uniqueId', ''), d.key),
               nullif(d.doc -> 'creator' ->> 'name', ''), coalesce(d.doc ->> 'platform', job.platform), {_PROFILE_URL},
               nullif(d.doc -> 'video' ->> 'url', ''), nullif(d.doc -> 'video' ->> 'description', ''),
               nullif(d.doc -> 'creator' ->> 'avatarUrl', ''),
               CASE WHEN d.doc -> 'provenance' -> 'unknown' ? 'creator.followers' THEN NULL
                    ELSE least((d.doc -> 'creator' ->> 'followers')::numeric, 2147483647)::integer END,
               coalesce(d.doc -> 'creator' ->> 'verified', 'false'),
               d.doc -> 'creator' -> 'emails' ->> 0, nullif(d.doc -> 'creator' ->> 'bio', ''), d.doc, worker.utc_now()
          FROM page, job, (SELECT key, doc::jsonb AS doc, place FROM chosen) AS d ORDER BY d.place
    """,
    count=_COUNT_ROWS,
    add=_COUNT_ROWS,
    tell="worker.tell_of_search(job.key",
)

SINKS: Final = {"scraping_jobs": _BATCHES, "search_jobs": _ROWS}
"""By job table: a batch of creators a page, or a row a creator."""
