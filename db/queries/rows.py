"""How each of the application's job tables is told what became of a task: the pieces in which the tables differ.

A piece is an UPDATE of the row that belongs to the CTE ``own``; it changes nothing unless the row is ``processing``.
"""

from typing import Final, LiteralString

from db.queries.events import TOLD_OF_JOB

CLOSE_ROW: Final[dict[str, LiteralString]] = {
    "scraping_jobs": f"""
        UPDATE public.scraping_jobs j
           SET status = %(outcome)s::text, error = left(%(detail)s::text, 4000), completed_at = worker.utc_now(),
               updated_at = worker.utc_now(),
               progress = CASE WHEN %(outcome)s::text = 'completed' THEN 100 ELSE j.progress END
          FROM own
         WHERE j.id = own.job_id::uuid AND j.status = 'processing'
        RETURNING j.id, {TOLD_OF_JOB}
    """,
    "background_jobs": """
        UPDATE public.background_jobs b
           SET status = CASE WHEN %(outcome)s::text = 'completed' THEN 'completed' ELSE 'failed' END,
               result = coalesce(own.result::jsonb, b.result), error = left(%(detail)s::text, 4000),
               completed_at = CASE WHEN %(outcome)s::text = 'completed' THEN worker.utc_now() END,
               failed_at = CASE WHEN %(outcome)s::text = 'completed' THEN b.failed_at ELSE worker.utc_now() END,
               retry_count = greatest(b.retry_count, least(own.failures, b.max_retries)), updated_at = worker.utc_now()
          FROM own
         WHERE b.id = own.job_id::uuid AND b.status = 'processing'
        RETURNING b.id
    """,
    "search_jobs": """
        SELECT own.id
          FROM own
         WHERE worker.end_search(own.job_id::uuid, '{processing}', %(outcome)s::text, %(reason)s::text,
                                 %(detail)s::text, own.epoch::text)
    """,
}
"""Ends the row. ``own`` gives ``job_id``, ``epoch``, ``failures`` and the ``result`` as JSON text."""

PUT_OFF_ROW: Final[dict[str, LiteralString]] = {
    # A scraping job or search stays 'processing' between slices, waits and retries, so that its page does not flicker.
    "scraping_jobs": "SELECT own.id FROM own WHERE false",
    "background_jobs": """
        UPDATE public.background_jobs b
           SET status = 'pending', scheduled_for = own.run_at AT TIME ZONE 'UTC',
               error = left(%(detail)s::text, 4000), updated_at = worker.utc_now(),
               retry_count = greatest(b.retry_count, least(own.failures, b.max_retries))
          FROM own
         WHERE %(later)s AND b.id = own.job_id::uuid AND b.status = 'processing'
        RETURNING b.id
    """,
    "search_jobs": "SELECT own.id FROM own WHERE false",
}
"""Moves the row's next run. ``own`` gives ``job_id``, ``run_at`` and ``failures``."""
