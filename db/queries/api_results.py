"""Stored creators of one job, in the order in which they were stored. Reads only, no locks.

A page of creators is a batch in ``scraping_results``, or rows of ``search_results``; both are given as JSON text.
"""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, LiteralString

from psycopg import AsyncConnection
from psycopg.rows import class_row

from db.queries.api_places import After

ROWS_OF_A_BATCH: Final = 50
"""Rows of a search that count as one batch: about as many creators as a page of a provider has."""


@dataclass(frozen=True, slots=True)
class Batch:
    """One stored batch, or one row of a search: its place, and its creators as JSON text."""

    id: str
    created_at: datetime
    creators: str


_OF_JOB: Final[LiteralString] = """
    SELECT r.id::text, r.created_at, r.creators::text
      FROM public.scraping_results r
      JOIN (SELECT id FROM public.scraping_results
             WHERE job_id = %(job_id)s::uuid AND (created_at, id) > (%(created_at)s, %(id)s::uuid)
             ORDER BY created_at, id LIMIT %(limit)s) AS wanted ON wanted.id = r.id
     ORDER BY r.created_at, r.id
"""
_OF_SEARCH: Final[LiteralString] = """
    SELECT r.id::text, r.created_at, coalesce(r.raw_data, '{}')::text AS creators
      FROM public.search_results r
      JOIN worker.searches w ON w.job_id = r.job_id
     WHERE w.key = %(job_id)s::uuid AND (r.created_at, r.id) > (%(created_at)s, %(id)s::uuid)
     ORDER BY r.created_at, r.id LIMIT %(limit)s
"""
BEGINNING: Final = After(datetime(1, 1, 1), "00000000-0000-0000-0000-000000000000")  # noqa: DTZ001 - as the column is


async def batches_after(
    connection: AsyncConnection[Any], table: str, job_id: str, after: After, batches: int
) -> list[Batch]:
    """At most so many batches behind a place, for a search the rows of as many.

    Plan: the index of results by job and a sort of their places, without their creators; of a search, where the
    application has no index of its results by job, a scan of them.
    """
    searching = table == "search_jobs"
    async with connection.cursor(row_factory=class_row(Batch)) as cursor:
        await cursor.execute(
            _OF_SEARCH if searching else _OF_JOB,
            {
                "job_id": job_id,
                "created_at": after.created_at,
                "id": after.id,
                "limit": batches * ROWS_OF_A_BATCH if searching else batches,
            },
        )
        return await cursor.fetchall()


async def rows_of_search(connection: AsyncConnection[Any], job_id: str) -> AsyncGenerator[list[str]]:
    """The creators of a search, some at a time, of one snapshot; close what it gives. Plan: as `batches_after`."""
    async with connection.transaction(), connection.cursor(name="rows_of_search") as cursor:
        await cursor.execute(
            """
            SELECT coalesce(r.raw_data, '{}')::text
              FROM public.search_results r JOIN worker.searches w ON w.job_id = r.job_id
             WHERE w.key = %s::uuid ORDER BY r.created_at, r.id
            """,
            (job_id,),
        )
        while rows := await cursor.fetchmany(ROWS_OF_A_BATCH * 4):
            yield [creators for (creators,) in rows]
