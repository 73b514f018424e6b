"""What is stored of jobs, read in one snapshot by a server-side cursor, so that no result is ever whole in memory."""

from collections.abc import AsyncGenerator, Sequence
from typing import Any, Final
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.sql import SQL

ROWS_AT_ONCE: Final = 20
"""Batches that are fetched together; each holds the creators of one page."""


async def jobs_of_campaign(connection: AsyncConnection[Any], campaign: UUID) -> list[UUID] | None:
    """The scraping jobs of a campaign, oldest first; None when there is no such campaign. No locks."""
    cursor = await connection.execute(
        """
        SELECT array_agg(j.id ORDER BY j.created_at, j.id) FILTER (WHERE j.id IS NOT NULL)
          FROM public.campaigns c LEFT JOIN public.scraping_jobs j ON j.campaign_id = c.id
         WHERE c.id = %s GROUP BY c.id
        """,
        (campaign,),
    )
    row = await cursor.fetchone()
    return None if row is None else row[0] or []


async def job_document(connection: AsyncConnection[Any], job: UUID) -> str | None:
    """A scraping job's row as JSON text; None when there is none. No locks. Plan: primary key."""
    cursor = await connection.execute("SELECT to_jsonb(j)::text FROM public.scraping_jobs j WHERE j.id = %s", (job,))
    row = await cursor.fetchone()
    return str(row[0]) if row else None


async def stored_batches(connection: AsyncConnection[Any], jobs: Sequence[UUID]) -> AsyncGenerator[list[str]]:
    """Batches of creators (JSON text of an array each) in the order in which they were stored, job after job.

    Gives some at a time, of one snapshot, in a transaction of its own or a part of the caller's: close what it gives.
    No locks. Plan: the
    index of results by job, and a sort.
    """
    async with connection.transaction(), connection.cursor(name="stored_batches") as cursor:
        await cursor.execute(
            SQL(
                """
                SELECT r.creators::text
                  FROM unnest(%s::uuid[]) WITH ORDINALITY AS w (id, place)
                  JOIN public.scraping_results r ON r.job_id = w.id
                 ORDER BY w.place, r.created_at, r.id
                """
            ),
            (list(jobs),),
        )
        while rows := await cursor.fetchmany(ROWS_AT_ONCE):
            yield [creators for (creators,) in rows]
