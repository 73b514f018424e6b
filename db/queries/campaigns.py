"""Campaigns whose jobs have all ended."""

from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import class_row

FINAL: Final = ["completed", "error", "timeout", "cancelled", "partial"]
"""Words of a job's status after which nothing follows by itself."""

OPEN: Final = ["draft", "active"]
"""Words of ``campaigns.status`` before its end."""


@dataclass(frozen=True, slots=True)
class Campaign:
    """A campaign and what its jobs add up to."""

    id: UUID
    user_id: str
    name: str
    status: str
    jobs: int
    open_jobs: int
    completed_jobs: int
    creators: int


async def campaign_of_job(connection: AsyncConnection[Any], job_id: UUID) -> UUID | None:
    """The campaign that a scraping job belongs to; None for none. No locks. Plan: primary key."""
    cursor = await connection.execute("SELECT campaign_id FROM public.scraping_jobs WHERE id = %s", (job_id,))
    row = await cursor.fetchone()
    return row[0] if row else None


async def ended_campaigns(connection: AsyncConnection[Any], limit: int) -> list[UUID]:
    """Open campaigns that have jobs or searches, all of them final. No locks.

    Plan: a scan of open campaigns, their jobs and searches.
    """
    cursor = await connection.execute(
        """
        SELECT c.id FROM public.campaigns c
         CROSS JOIN LATERAL worker.searches_of(c.id, %(final)s) s
         WHERE c.status = ANY (%(open)s)
           AND (s.o_jobs > 0 OR EXISTS (SELECT FROM public.scraping_jobs j WHERE j.campaign_id = c.id))
           AND s.o_open = 0
           AND NOT EXISTS (SELECT FROM public.scraping_jobs j
                            WHERE j.campaign_id = c.id AND j.status <> ALL (%(final)s))
         ORDER BY c.id LIMIT %(limit)s
        """,
        {"open": OPEN, "final": FINAL, "limit": limit},
    )
    return [campaign for (campaign,) in await cursor.fetchall()]


async def lock_campaign(connection: AsyncConnection[Any], campaign: UUID) -> Campaign | None:
    """A campaign, locked until the transaction ends, and its jobs as they are then. None when there is none.

    A job that is put into the campaign meanwhile waits for the lock. Locks: the campaign. Plan: primary key, and a scan
    of jobs by user and campaign.
    """
    locked = await connection.execute("SELECT user_id FROM public.campaigns WHERE id = %s FOR UPDATE", (campaign,))
    if not locked.rowcount:
        return None
    # A statement of its own: it must see the jobs as they are after the wait for the lock.
    async with connection.cursor(row_factory=class_row(Campaign)) as cursor:
        await cursor.execute(
            """
            SELECT c.id, c.user_id, c.name, c.status, count(j.id) + s.o_jobs AS jobs,
                   count(j.id) FILTER (WHERE j.status <> ALL (%(final)s)) + s.o_open AS open_jobs,
                   count(j.id) FILTER (WHERE j.status = 'completed') + s.o_completed AS completed_jobs,
                   coalesce(sum(j.processed_results), 0) + s.o_creators AS creators
              FROM public.campaigns c
             CROSS JOIN LATERAL worker.searches_of(c.id, %(final)s) s
              LEFT JOIN public.scraping_jobs j ON j.campaign_id = c.id
             WHERE c.id = %(campaign)s GROUP BY c.id, s.o_jobs, s.o_open, s.o_completed, s.o_creators
            """,
            {"campaign": campaign, "final": FINAL},
        )
        return await cursor.fetchone()


async def complete_campaign(connection: AsyncConnection[Any], campaign: UUID) -> None:
    """Set a locked campaign ``completed``. Locks: the campaign, held already. Plan: primary key."""
    await connection.execute(
        "UPDATE public.campaigns SET status = 'completed', updated_at = worker.utc_now() WHERE id = %s", (campaign,)
    )
