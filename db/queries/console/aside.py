"""Quarantined items as a list shows them. Reads only, no locks."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from psycopg import AsyncConnection

from db.queries.console.reading import rows_of
from db.queries.quarantining import CHOSEN, Choice

LOOK: Final = 10_000
"""Items that one page of a filtered list looks at."""


@dataclass(frozen=True, slots=True)
class Item:
    """One item that could not be read. ``size`` is in bytes; of the raw text only the beginning is here."""

    id: int
    job_id: str
    page: int
    provider: str
    endpoint: str
    reason: str
    message: str
    size: int
    cut: bool
    found_at: datetime
    replayed_at: datetime | None
    verdict: str | None


async def items(connection: AsyncConnection[Any], choice: Choice, after: int | None, limit: int) -> list[Item]:
    """The newest items that are chosen, below the id ``after``, among the ``LOOK`` newest there.

    Plan: the primary key backwards; for a job its task, then ``quarantine_task``.
    """
    return await rows_of(
        connection,
        Item,
        f"""
        SELECT q.id, t.job_id, q.seq AS page, q.provider, q.endpoint, q.reason, q.message,
               octet_length(q.raw) AS size, q.cut, q.found_at, q.replayed_at, q.verdict
          FROM (SELECT * FROM worker.quarantine
                 WHERE (%(after)s::bigint IS NULL OR id < %(after)s)
                   AND (%(job)s::text IS NULL OR task_id IN (
                        SELECT id FROM worker.tasks
                         WHERE job_table IN ('scraping_jobs', 'search_jobs') AND job_id = %(job)s))
                 ORDER BY id DESC LIMIT %(look)s) q
          JOIN worker.tasks t ON t.id = q.task_id
         WHERE {CHOSEN}
         ORDER BY q.id DESC
         LIMIT %(limit)s
        """,
        {**choice.values, "after": after, "look": LOOK, "limit": limit},
    )
