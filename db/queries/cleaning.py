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

_NO_OPEN_TASK: Final[dict[str, LiteralString]] = {
    table: f"""
    NOT EXISTS (SELECT FROM worker.tasks t
                 WHERE t.job_table = '{table}' AND t.job_id = j.id::text AND t.state IN ('leased', 'ready', 'waiting'))
    """
    for table in ("scraping_jobs", "background_jobs")
}
_TABLES: Final[dict[str, LiteralString]] = {
    "scraping_jobs": "public.scraping_jobs",
    "background_jobs": "public.background_jobs",
}
_ENDED: Final[dict[str, LiteralString]] = {
    "scraping_jobs": "coalesce(j.completed_at, j.updated_at)",
    "background_jobs": "coalesce(j.completed_at, j.failed_at, j.updated_at)",
}


@dataclass(frozen=True, slots=True)
class Ended:
    """A row that may go, as it was seen: ``updated_at`` tells whether it has changed since."""

    id: UUID
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


async def ended_jobs(
    connection: AsyncConnection[Any],
    table: str,
    ages: Mapping[str, timedelta],
    batch: int,
    passed: Sequence[UUID],
) -> list[Ended]:
    """Rows that ended longer ago than their status allows and whose task is not open, save those ``passed``.

    Oldest first. No locks. Plan: an index by status, then one task probe a row.
    """
    async with connection.cursor(row_factory=class_row(Ended)) as cursor:
        await cursor.execute(
            f"""
            SELECT j.id, j.updated_at
              FROM {_TABLES[table]} j
              JOIN unnest(%(statuses)s::text[], %(ages)s::interval[]) AS a (status, age) ON a.status = j.status
             WHERE {_ENDED[table]} < worker.utc_now() - a.age AND j.id <> ALL (%(passed)s) AND {_NO_OPEN_TASK[table]}
             ORDER BY {_ENDED[table]}, j.id LIMIT %(batch)s
            """,
            {"statuses": list(ages), "ages": list(ages.values()), "passed": list(passed), "batch": batch},
        )
        return await cursor.fetchall()


async def delete_ended(connection: AsyncConnection[Any], table: str, rows: Sequence[Ended]) -> int:
    """Delete rows that are still as they were seen, with their results; give how many.

    Raises `psycopg.errors.ForeignKeyViolation` when a table of the application's own holds on to one of them. Locks:
    the rows, skipping locked ones. Plan: primary keys, the index of results by job.
    """
    locked = await connection.execute(
        f"""
        SELECT j.id FROM {_TABLES[table]} j
          JOIN unnest(%s::uuid[], %s::timestamp[]) AS w (id, seen) ON w.id = j.id AND w.seen = j.updated_at
         WHERE j.status NOT IN ('pending', 'processing') AND {_NO_OPEN_TASK[table]}
           FOR UPDATE OF j SKIP LOCKED
        """,
        ([row.id for row in rows], [row.updated_at for row in rows]),
    )
    ids = [one for (one,) in await locked.fetchall()]
    if table == "scraping_jobs":
        await connection.execute("DELETE FROM public.scraping_results WHERE job_id = ANY (%s)", (ids,))
    deleted = await connection.execute(f"DELETE FROM {_TABLES[table]} j WHERE j.id = ANY (%s)", (ids,))
    return deleted.rowcount
