"""Stored creators that get their profile later: batches read one by one, and written back in their places."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import class_row
from psycopg.types.json import Jsonb


@dataclass(frozen=True, slots=True)
class StoredSearch:
    """The application's row of a scraping job, as far as it says what was searched."""

    status: str
    platform: str
    keywords: Any
    target_username: str | None
    region: str
    search_params: Any
    target_results: int


async def stored_search(connection: AsyncConnection[Any], job: UUID) -> StoredSearch | None:
    """The row of a scraping job; None when there is none. No locks. Plan: primary key."""
    async with connection.cursor(row_factory=class_row(StoredSearch)) as cursor:
        await cursor.execute(
            "SELECT status, platform, keywords, target_username, region, search_params, target_results"
            "  FROM public.scraping_jobs WHERE id = %s",
            (job,),
        )
        return await cursor.fetchone()


async def thin_batches(connection: AsyncConnection[Any], job: UUID) -> list[UUID]:
    """Ids of a job's batches that hold a creator whose profile was not read, in their order.

    No locks. Plan: the index of results by job; every batch of the job is read.
    """
    cursor = await connection.execute(
        """
        SELECT r.id FROM public.scraping_results r
         WHERE r.job_id = %s AND jsonb_typeof(r.creators) = 'array'
           AND EXISTS (SELECT FROM jsonb_array_elements(r.creators) AS c (creator)
                        WHERE coalesce(c.creator ->> 'enhancementStatus', '') <> 'completed')
         ORDER BY r.created_at, r.id
        """,
        (job,),
    )
    return [batch for (batch,) in await cursor.fetchall()]


async def batch_of(connection: AsyncConnection[Any], batch: UUID, *, lock: bool = False) -> list[Any]:
    """The creators of a batch; none when it is gone. Locks: the batch, with ``lock``. Plan: primary key."""
    cursor = await connection.execute(
        f"SELECT creators FROM public.scraping_results WHERE id = %s {'FOR NO KEY UPDATE' if lock else ''}", (batch,)
    )
    row = await cursor.fetchone()
    return row[0] if row else []


async def write_batch(connection: AsyncConnection[Any], batch: UUID, creators: Sequence[Any]) -> None:
    """Write a locked batch back. Locks: the batch, held already. Plan: primary key."""
    await connection.execute(
        "UPDATE public.scraping_results SET creators = %s WHERE id = %s", (Jsonb(list(creators)), batch)
    )
