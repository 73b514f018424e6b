"""What the application's own job tables forget: rows that nobody will finish, and rows that ended long ago.

A row whose task is open is never touched, leased ones above all. No statement waits for a lock, and none locks a task:
a claim writes ``updated_at``, so a row that was claimed since it was seen no longer fits when it is locked.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, LiteralString
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import class_row


@dataclass(frozen=True, slots=True)
class _Table:
    """What differs from one job table to the next; the row is ``j``."""

    name: LiteralString
    key: LiteralString = "j.id::text"
    """The job's id as its task has it."""
    id_type: LiteralString = "uuid"
    ended: LiteralString = "coalesce(j.completed_at, j.updated_at)"
    results: LiteralString | None = None

    @property
    def no_open_task(self) -> LiteralString:
        """That nobody works for the row, nor will."""
        return f"""
            NOT EXISTS (SELECT FROM worker.tasks t
                         WHERE t.job_table = '{self.name}' AND t.job_id = {self.key}
                           AND t.state IN ('leased', 'ready', 'waiting'))
        """


_TABLES: Final = {
    "scraping_jobs": _Table("scraping_jobs", results="scraping_results"),
    "background_jobs": _Table("background_jobs", ended="coalesce(j.completed_at, j.failed_at, j.updated_at)"),
    "search_jobs": _Table("search_jobs", key="worker.search_key(j.id)::text", id_type="text", results="search_results"),
}


@dataclass(frozen=True, slots=True)
class Ended:
    """A row that may go, as it was seen: ``updated_at`` tells whether it has changed since."""

    id: UUID | str
    updated_at: datetime


async def time_out_late_jobs(connection: AsyncConnection[Any], age: timedelta, batch: int) -> int:
    """Set scraping jobs ``timeout`` that are ``age`` old, were not touched for as long, and have nobody at work.

    One whose ``timeout_at`` is to come is not late, nor one whose task waits for a time within ``age``. Gives how many.
    Locks: the rows, skipping locked ones. Plan: the index of status and creation, then one task probe a row.
    """
    cursor = await connection.execute(
        """
        WITH late AS MATERIALIZED (
            SELECT j.id FROM public.scraping_jobs j
             WHERE j.status IN ('pending', 'processing')
               AND greatest(j.created_at, j.updated_at) < worker.utc_now() - %(age)s::interval
               AND coalesce(j.timeout_at, '-infinity') < worker.utc_now()
               AND NOT EXISTS (
                   SELECT FROM worker.tasks t
                    WHERE t.job_table = 'scraping_jobs' AND t.job_id = j.id::text
                      AND (t.state = 'leased' OR (t.state IN ('ready', 'waiting')
                                                  AND greatest(t.run_at, t.adopted_at)
                                                      > clock_timestamp() - %(age)s::interval)))
             ORDER BY j.created_at LIMIT %(batch)s FOR UPDATE OF j SKIP LOCKED)
        UPDATE public.scraping_jobs j
           SET status = 'timeout', completed_at = worker.utc_now(), updated_at = worker.utc_now(),
               error = 'nobody touched it for ' || %(age)s::interval || '; expected an end by then; what was found is '
                       || 'kept; set it to pending to go on'
          FROM late WHERE j.id = late.id
        """,
        {"age": age, "batch": batch},
    )
    return cursor.rowcount


async def there_are_searches(connection: AsyncConnection[Any]) -> bool:
    """Whether the application has the tables. The catalog."""
    cursor = await connection.execute("SELECT to_regclass('public.search_jobs') IS NOT NULL")
    row = await cursor.fetchone()
    return bool(row and row[0])


async def time_out_late_searches(connection: AsyncConnection[Any], age: timedelta, batch: int) -> int:
    """The same for searches, whose rows have no deadline.

    Gives how many. Locks: the rows, skipping locked ones. Plan: a scan, then one task probe a row.
    """
    cursor = await connection.execute(
        """
        WITH late AS MATERIALIZED (
            SELECT worker.search_key(j.id) AS key FROM public.search_jobs j
             WHERE j.status IN ('queued', 'processing')
               AND greatest(j.created_at, j.updated_at) < worker.utc_now() - %(age)s::interval
               AND NOT EXISTS (
                   SELECT FROM worker.tasks t
                    WHERE t.job_table = 'search_jobs' AND t.job_id = worker.search_key(j.id)::text
                      AND (t.state = 'leased' OR (t.state IN ('ready', 'waiting')
                                                  AND greatest(t.run_at, t.adopted_at)
                                                      > clock_timestamp() - %(age)s::interval)))
             ORDER BY j.created_at LIMIT %(batch)s FOR UPDATE OF j SKIP LOCKED)
        SELECT count(worker.end_search(
                   late.key, '{queued,processing}', 'timeout', 'forgotten',
                   'nobody touched it for ' || %(age)s::interval || '; what was found is kept; set it to queued '
                   || 'to go on', worker.utc_now()::text))
          FROM late
        """,
        {"age": age, "batch": batch},
    )
    row = await cursor.fetchone()
    return int(row[0]) if row else 0


async def ended_jobs(
    connection: AsyncConnection[Any],
    table: str,
    ages: Mapping[str, timedelta],
    batch: int,
    passed: Sequence[UUID | str],
) -> list[Ended]:
    """Rows that ended longer ago than their status allows and whose task is not open, save those ``passed``.

    Oldest first. No locks. Plan: an index by status, then one task probe a row.
    """
    kind = _TABLES[table]
    async with connection.cursor(row_factory=class_row(Ended)) as cursor:
        await cursor.execute(
            f"""
            SELECT j.id, j.updated_at
              FROM public.{kind.name} j
              JOIN unnest(%(statuses)s::text[], %(ages)s::interval[]) AS a (status, age) ON a.status = j.status
             WHERE {kind.ended} < worker.utc_now() - a.age AND j.id <> ALL (%(passed)s::{kind.id_type}[])
               AND {kind.no_open_task}
             ORDER BY {kind.ended}, j.id LIMIT %(batch)s
            """,
            {"statuses": list(ages), "ages": list(ages.values()), "passed": list(passed), "batch": batch},
        )
        return await cursor.fetchall()


async def delete_ended(connection: AsyncConnection[Any], table: str, rows: Sequence[Ended]) -> int:
    """Delete rows that are still as they were seen, with their results; give how many.

    Raises `psycopg.errors.ForeignKeyViolation` when a table of the application's own holds on to one of them. Locks:
    the rows, skipping locked ones. Plan: primary keys, the index of results by job.
    """
    kind = _TABLES[table]
    locked = await connection.execute(
        f"""
        SELECT j.id FROM public.{kind.name} j
          JOIN unnest(%s::{kind.id_type}[], %s::timestamp[]) AS w (id, seen) ON w.id = j.id AND w.seen = j.updated_at
         WHERE j.status NOT IN ('pending', 'queued', 'processing') AND {kind.no_open_task}
           FOR UPDATE OF j SKIP LOCKED
        """,
        ([row.id for row in rows], [row.updated_at for row in rows]),
    )
    ids = [one for (one,) in await locked.fetchall()]
    if kind.results is not None:
        await connection.execute(f"DELETE FROM public.{kind.results} WHERE job_id = ANY (%s)", (ids,))
    if table == "search_jobs":
        await connection.execute("DELETE FROM worker.searches WHERE job_id = ANY (%s)", (ids,))
    deleted = await connection.execute(f"DELETE FROM public.{kind.name} j WHERE j.id = ANY (%s)", (ids,))
    return deleted.rowcount


async def forget_events(connection: AsyncConnection[Any], age: timedelta, batch: int) -> int:
    """Delete events of Trawler's own that are done and older than ``age``, at least 30 days; give how many.

    Done by a function with its owner's rights, as the fleet's role may delete no events. Locks: the events, skipping
    locked ones. Plan: a scan that stops at a full batch.
    """
    cursor = await connection.execute("SELECT worker.forget_events(%s, %s)", (age, batch))
    row = await cursor.fetchone()
    return int(row[0]) if row else 0
