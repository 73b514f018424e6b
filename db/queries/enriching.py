"""Stored creators that get their profile later: batches read one by one, and written back in their places."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, LiteralString
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import class_row
from psycopg.types.json import Jsonb


@dataclass(frozen=True, slots=True)
class StoredSearch:
    """The application's row of a scraping job, as far as it says what was searched."""

    user_id: str
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
            "SELECT user_id, status, platform, keywords, target_username, region, search_params, target_results"
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


@dataclass(frozen=True, slots=True)
class Allowance:
    """What a user's plan has left of the month's enrichments; None is without a limit.

    ``usage`` is the row of the counter, None where there is none. ``month`` is the month that counting begins, with
    what was used in the one before.
    """

    usage: UUID | None
    left: int | None
    month: datetime | None
    creators_before: int | None
    enrichments_before: int | None


_ALLOWANCES: Final[dict[bool, LiteralString]] = {
    lock: f"""
    SELECT p.o_usage AS usage, p.o_month AS month, p.o_creators AS creators_before,
           p.o_enrichments AS enrichments_before,
           CASE WHEN f.most ~ '^[0-9]{{1,9}}$' THEN greatest(
                f.most::integer - CASE WHEN p.o_month IS NULL THEN p.o_enrichments ELSE 0 END, 0) END AS left
      FROM worker.{function}(%s, -1) p
      LEFT JOIN public.user_usage g ON g.id = p.o_usage
      LEFT JOIN LATERAL (
           SELECT coalesce(g.plan_features ->> 'enrichments_limit',
                           (SELECT n.features ->> 'enrichments_limit'
                              FROM public.user_subscriptions s
                              JOIN public.subscription_plans n ON n.plan_key = s.current_plan
                             WHERE s.user_id = g.user_id ORDER BY s.created_at, s.id LIMIT 1))) f (most) ON true
    """
    for lock, function in ((False, "plan_of"), (True, "lock_plan"))
}


async def allowance_of(connection: AsyncConnection[Any], user_id: str, *, lock: bool = False) -> Allowance:
    """What a user's plan has left: ``enrichments_limit`` of the user's ``plan_features``, else of the plan's features.

    -1, no such key and no row are without a limit. Locks: with ``lock`` the row of ``user_usage``, for a second at
    most. Plan: unique index of ``users.user_id``, then one probe a table. Raises `psycopg.errors.LockNotAvailable`.
    """
    async with connection.cursor(row_factory=class_row(Allowance)) as cursor:
        await cursor.execute(_ALLOWANCES[lock], (user_id,))
        found = await cursor.fetchone()
        assert found is not None  # noqa: S101 - the function gives one row
        return found


async def count_enrichments(connection: AsyncConnection[Any], allowance: Allowance, count: int) -> None:
    """Add to a locked counter, and begin its month where that is to begin. Locks: its row, held. Plan: primary key."""
    await connection.execute(
        """
        UPDATE public.user_usage
           SET enrichments_current_month = CASE WHEN %(month)s::timestamp IS NULL THEN enrichments_current_month ELSE 0
                                           END + %(count)s,
               usage_creators_current_month = CASE WHEN %(month)s::timestamp IS NULL THEN usage_creators_current_month
                                              ELSE 0 END,
               usage_reset_date = coalesce(%(month)s::timestamp, usage_reset_date), updated_at = worker.utc_now()
         WHERE id = %(usage)s
        """,
        {"month": allowance.month, "count": count, "usage": allowance.usage},
    )
