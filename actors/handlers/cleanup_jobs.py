"""``cleanup_jobs``: ends rows that nobody will finish, and deletes what ended long ago, results included.

Every batch is a transaction of its own. A row whose task is open is never touched. With ``exportTo`` each scraping job
is written to a file of its own before it goes, and goes only if it is still what was written.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from datetime import timedelta
from typing import Annotated, Any, BinaryIO
from uuid import UUID

import msgspec
import psycopg
import structlog
from psycopg import AsyncConnection

from actors.handlers.contract import Handler, JobContext, JobSettled
from actors.handlers.creator_lines import creators_in
from actors.handlers.destinations import Destination, destination_of
from actors.handlers.files_aside import NotWanted
from db.queries import cleaning, exporting
from db.queries.cleaning import Ended
from worker.configuration_keys import (
    CANCELLED_RETENTION_DAYS,
    CLEANUP_TIMEOUT,
    COMPLETED_RETENTION_DAYS,
    ERROR_RETENTION_DAYS,
    EVENT_RETENTION_DAYS,
    TIMEOUT_RETENTION_DAYS,
    Key,
)

log = structlog.get_logger()

EVENTS_AT_ONCE = 5000


class CleanupJobs(msgspec.Struct, rename="camel"):
    """``batch`` rows a transaction; ``export_to`` gets deleted scraping jobs, a file each.

    It is a folder's absolute path or ``s3://bucket/prefix``.
    """

    batch: Annotated[int, msgspec.Meta(ge=1, le=500)] = 50
    export_to: str | None = None


async def run(context: JobContext, payload: CleanupJobs) -> JobSettled:
    """Clean up by the retention of ``system_configurations``; give how many rows went, by table.

    ``kept`` are rows that are to go and that a table of the application's own holds on to. Raises `FailJob` when the
    place of the files cannot be used, and `RetryJob` when it is away.
    """
    place = None
    if payload.export_to is not None:
        place = await destination_of(payload.export_to, "exportTo", context.runtime.settings)
    ages = await _ages(context)
    forgotten = await context.configuration.value(CLEANUP_TIMEOUT)
    async with context.pool.connection() as connection:
        searches_too = await cleaning.there_are_searches(connection)
    timed_out = await _in_batches(context, cleaning.time_out_late_jobs, forgotten, payload.batch)
    scraping, kept = await _clean(context, "scraping_jobs", ages, payload.batch, place)
    searches, kept_searches = 0, 0
    if searches_too:
        timed_out += await _in_batches(context, cleaning.time_out_late_searches, forgotten, payload.batch)
        searches, kept_searches = await _clean(context, "search_jobs", ages, payload.batch, None)
    # A background job is failed for what a scraping job calls an error.
    background_ages = {"completed": ages["completed"], "failed": ages["error"]}
    background, also_kept = await _clean(context, "background_jobs", background_ages, payload.batch, None)
    days = await context.configuration.value(EVENT_RETENTION_DAYS)
    events = await _in_batches(context, cleaning.forget_events, timedelta(days=days), EVENTS_AT_ONCE)
    async with context.transaction() as connection:
        return await context.completing(
            connection,
            {
                "timedOut": timed_out,
                "scrapingJobs": scraping,
                "backgroundJobs": background,
                "searches": searches,
                "events": events,
                "kept": kept + also_kept + kept_searches,
            },
        )


async def _in_batches(
    context: JobContext,
    some: Callable[[AsyncConnection[Any], timedelta, int], Awaitable[int]],
    age: timedelta,
    batch: int,
) -> int:
    """See to rows older than an age, a batch in a transaction; give how many."""
    total = 0
    while True:
        async with context.transaction() as connection:
            count = await some(connection, age, batch)
        total += count
        if count < batch:
            return total


async def _ages(context: JobContext) -> dict[str, timedelta]:
    keys: dict[str, Key[int]] = {
        "completed": COMPLETED_RETENTION_DAYS,
        "error": ERROR_RETENTION_DAYS,
        "cancelled": CANCELLED_RETENTION_DAYS,
        "timeout": TIMEOUT_RETENTION_DAYS,
    }
    days = {status: await context.configuration.value(key) for status, key in keys.items()}
    return {status: timedelta(days=count) for status, count in days.items()}


async def _clean(
    context: JobContext, table: str, ages: Mapping[str, timedelta], batch: int, place: Destination | None
) -> tuple[int, int]:
    """Delete what ended longer ago than its age; give how many went, and how many had to be kept."""
    deleted, passed, kept = 0, list[Ended](), 0
    while not context.cancelled:
        async with context.pool.connection() as connection:
            rows = await cleaning.ended_jobs(connection, table, ages, batch, [row.id for row in passed])
        if not rows:
            break
        if place is not None:
            for row in rows:
                await _export(context, row, place)
        gone, held = await _delete(context, table, rows)
        deleted += gone
        kept += held
        # Those that changed in between, too: the next run sees them anew.
        passed += rows if gone < len(rows) else ()
    return deleted, kept


async def _delete(context: JobContext, table: str, rows: Sequence[Ended]) -> tuple[int, int]:
    try:
        async with context.transaction() as connection:
            return await cleaning.delete_ended(connection, table, rows), 0
    except psycopg.errors.ForeignKeyViolation as error:
        if len(rows) == 1:
            log.warning("job_not_deleted", job=str(rows[0].id), error=str(error).strip())
            return 0, 1
    parts = [await _delete(context, table, [row]) for row in rows]
    return sum(gone for gone, _ in parts), sum(held for _, held in parts)


async def _export(context: JobContext, row: Ended, place: Destination) -> None:
    """Write a scraping job to its file: the row on the first line, then a creator a line."""
    job = UUID(str(row.id))
    try:
        # The file goes on its way when the database was left: a store may be slow.
        async with place.written(f"{job}.jsonl", lambda: context.held) as file:
            await _write(context, job, file)
    except NotWanted:
        # The row is gone, or the lease is, so that what follows deletes nothing.
        return


async def _write(context: JobContext, job: UUID, file: BinaryIO) -> None:
    async with context.pool.connection() as connection, connection.transaction():
        document = await exporting.job_document(connection, job)
        if document is None:
            raise NotWanted
        file.write(f'{{"job": {document}}}\n'.encode())
        async with aclosing(exporting.stored_batches(connection, [job])) as stored:
            async for batches in stored:
                lines = b"".join(creator + b"\n" for creator in creators_in(batches))
                await asyncio.to_thread(file.write, lines)


HANDLERS = (Handler("cleanup_jobs", CleanupJobs, run, schedule="30 3 * * *"),)
