"""What a job has stored, deleted on purpose so that it begins again."""

from collections.abc import Sequence
from typing import Final, LiteralString

from psycopg import Connection

_DROP_RESULTS: Final[dict[str, LiteralString]] = {
    "scraping_jobs": "DELETE FROM public.scraping_results WHERE job_id = ANY (%(ids)s::uuid[])",
    "background_jobs": "SELECT WHERE false",
    "search_jobs": """
        DELETE FROM public.search_results r USING worker.searches w
         WHERE w.key = ANY (%(ids)s::uuid[]) AND r.job_id = w.job_id
    """,
}


def drop_stored(connection: Connection, job_table: str, ids: Sequence[str]) -> None:
    """Delete what jobs have stored and where they stopped, so that their walks begin at the first page.

    Attempts, spend and quarantined items stay: they happened. The jobs' tasks and rows must be locked by
    `retrying.set_back` in the same transaction. Locks: what is deleted. Plan: the index of ``scraping_results``, of
    ``search_results`` a scan, as it has none; primary keys.
    """
    connection.execute(_DROP_RESULTS[job_table], {"ids": list(ids)})
    connection.execute(
        """
        WITH named AS MATERIALIZED (
            SELECT id FROM worker.tasks WHERE job_table = %(job_table)s AND job_id = ANY (%(ids)s::uuid[]::text[])),
        pages AS (DELETE FROM worker.pages p USING named n WHERE p.task_id = n.id),
        seen AS (DELETE FROM worker.seen_creators s USING named n WHERE s.task_id = n.id)
        DELETE FROM worker.checkpoints k USING named n WHERE k.task_id = n.id
        """,
        {"job_table": job_table, "ids": list(ids)},
    )
