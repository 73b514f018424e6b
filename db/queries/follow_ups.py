"""Background jobs that other jobs queue, in the transaction of what they follow."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from psycopg import AsyncConnection

from db.queries.enqueueing import NewBackgroundJob, insert_background_job_from


@dataclass(frozen=True, slots=True)
class FollowUp:
    """A job to queue. Two with the same ``key`` are the same job, and the first stays.

    It is due ``at`` a time with its zone, else ``delay`` from now.
    """

    job_type: str
    payload: Mapping[str, Any]
    key: str
    priority: int = 100
    max_retries: int = 3
    delay: timedelta = timedelta(0)
    at: datetime | None = None


async def queue_job(connection: AsyncConnection[Any], job: FollowUp) -> bool:
    """Put a job in that is due at its time, or after its delay by the database's clock; give whether it is new.

    Waits for another transaction that is just taking the key. Locks: the new rows, the key.
    """
    due = job.at
    if due is None and job.delay:
        row = await (await connection.execute("SELECT clock_timestamp() + %s", (job.delay,))).fetchone()
        assert row is not None  # noqa: S101 - a SELECT without FROM gives one row
        due = row[0]
    wanted = NewBackgroundJob(job.job_type, job.payload, job.priority, job.max_retries, due)
    return await insert_background_job_from(connection, wanted, job.key) is not None
