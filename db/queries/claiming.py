"""How a task gets its lease, and what the lease's holder needs to know."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import class_row


@dataclass(frozen=True, slots=True)
class Claimed:
    """One task just leased."""

    id: int
    job_table: str
    job_id: str
    lane: str
    tenant: str
    token: UUID
    epoch: int
    failures: int
    max_failures: int | None
    waits: int
    slices: int
    run_at: datetime | None = None
    claimed_at: datetime | None = None


async def claim(
    connection: AsyncConnection[Any],
    lane: str,
    owner: str,
    tokens: Sequence[UUID],
    ttl: timedelta,
    job_timeout: timedelta,
) -> list[Claimed]:
    """Lease up to ``len(tokens)`` of the lane's best due tasks and set their rows ``processing``.

    Fewer, or none, when the lane is paused, cooling down, full or empty. Called again with the same tokens it gives
    the same answer. Locks: lane, task, row. Plan: ``tasks_leased`` and ``tasks_ready``, one probe a tenant.
    Raises `psycopg.errors.LockNotAvailable` when the lane stays locked for two seconds.
    """
    async with connection.cursor(row_factory=class_row(Claimed)) as cursor:
        await cursor.execute(
            "SELECT id, job_table, job_id, lane, tenant, token, epoch, failures, max_failures, waits, slices,"
            " run_at, claimed_at"
            "  FROM worker.claim(%s, %s, %s, %s, %s)",
            (lane, owner, list(tokens), ttl, job_timeout),
        )
        return await cursor.fetchall()


@dataclass(frozen=True, slots=True)
class ScrapingWork:
    """What a slice works on: the application's row as it is now, and where the task stopped."""

    status: str
    platform: str
    keywords: Any
    target_username: str | None
    region: str
    search_params: Any
    target_results: int
    processed_results: int
    processed_runs: int
    deadline_at: datetime | None
    seq: int
    envelope: Any
    calls: int
    """Provider calls made for the job so far."""
    plan_left: int | None
    """Creators that the user's plan has left of this month; None without a limit."""


async def load_scraping_work(
    connection: AsyncConnection[Any], task_id: int, unplanned: int = -1
) -> ScrapingWork | None:
    """The row and checkpoint of a task; None when the application deleted the row.

    ``unplanned`` is the limit of a user of whom no plan is known, -1 for none. No locks. Plan: three primary keys,
    ``spend_job``, and the index of ``user_usage.user_id``.
    """
    async with connection.cursor(row_factory=class_row(ScrapingWork)) as cursor:
        await cursor.execute(
            """
            SELECT j.status, j.platform, j.keywords, j.target_username, j.region, j.search_params, j.target_results,
                   j.processed_results, j.processed_runs, t.deadline_at, coalesce(c.seq, 0) AS seq, c.envelope,
                   coalesce((SELECT sum(s.calls) FROM worker.spend s WHERE s.job_id = t.job_id), 0)::integer AS calls,
                   (SELECT p.o_left FROM worker.plan_of(j.user_id, %s) AS p) AS plan_left
              FROM worker.tasks t
              JOIN public.scraping_jobs j ON j.id = t.job_id::uuid
              LEFT JOIN worker.checkpoints c ON c.task_id = t.id
             WHERE t.id = %s
            """,
            (unplanned, task_id),
        )
        return await cursor.fetchone()


@dataclass(frozen=True, slots=True)
class BackgroundWork:
    """What a handler works on: the application's row as it is now."""

    task_id: int
    status: str
    job_type: str
    payload: str
    """The payload as JSON text."""
    retry_count: int
    max_retries: int


async def load_background_work(connection: AsyncConnection[Any], task_ids: Sequence[int]) -> dict[int, BackgroundWork]:
    """Rows of tasks, by task; those the application deleted are missing. No locks. Plan: primary keys."""
    async with connection.cursor(row_factory=class_row(BackgroundWork)) as cursor:
        await cursor.execute(
            """
            SELECT t.id AS task_id, b.status, b.job_type, b.payload::text AS payload, b.retry_count, b.max_retries
              FROM worker.tasks t JOIN public.background_jobs b ON b.id = t.job_id::uuid
             WHERE t.id = ANY (%s)
            """,
            (list(task_ids),),
        )
        return {work.task_id: work for work in await cursor.fetchall()}


async def seen_keys(connection: AsyncConnection[Any], task_id: int, keys: Sequence[str]) -> set[str]:
    """Which of these keys the task has stored already. No locks. Plan: one primary key probe a key."""
    cursor = await connection.execute(
        "SELECT key FROM worker.seen_creators WHERE task_id = %s AND key = ANY (%s)", (task_id, list(keys))
    )
    return {key for (key,) in await cursor.fetchall()}
