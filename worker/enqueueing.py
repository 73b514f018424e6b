"""For Python services: put a job in, in your own transaction.

Services in other languages insert a row into ``scraping_jobs``; both ways are equal.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from psycopg import Connection
from psycopg.pq import TransactionStatus

from db.queries import enqueueing
from worker.broker import WakeUps


@dataclass(frozen=True, slots=True)
class Enqueued:
    """A job that was put in, or the one an idempotency key already names (``created`` is then False)."""

    job_id: str
    lane: str | None
    created: bool


def enqueue_scraping_job(
    connection: Connection,
    *,
    user_id: str,
    platform: str,
    keywords: Sequence[str] | None = None,
    target_username: str | None = None,
    target_results: int = 1000,
    region: str = "US",
    campaign_id: str | None = None,
    search_params: Mapping[str, Any] | None = None,
    idempotency_key: str | None = None,
) -> Enqueued:
    """Insert a ``scraping_jobs`` row and its task on the caller's connection, without committing.

    The job exists when the caller's transaction commits, and not otherwise. A worker takes it within a reconciler tick;
    call `wake` after the commit to save even that. With an ``idempotency_key`` a second call gives the first job.
    What the row asks for is checked by the worker, as it is for rows of other services.
    """
    wanted = enqueueing.NewScrapingJob(
        user_id=user_id,
        platform=platform,
        keywords=keywords,
        target_username=target_username,
        target_results=target_results,
        region=region,
        campaign_id=campaign_id,
        search_params=search_params,
    )
    if not connection.autocommit and connection.info.transaction_status is TransactionStatus.IDLE:
        # The block below would be the whole transaction, and commit it; so the caller's is begun first.
        connection.execute("SELECT 1")
    # Within the caller's transaction a savepoint: a row that is refused leaves it usable.
    with connection.transaction():
        inserted = enqueueing.insert_scraping_job(connection, wanted, idempotency_key)
    if inserted is None and idempotency_key is not None:
        return Enqueued(enqueueing.job_of_key(connection, idempotency_key), lane=None, created=False)
    assert inserted is not None  # noqa: S101 - without a key the row is always inserted
    job_id, lane = inserted
    return Enqueued(job_id, lane, created=True)


def wake(wakeups: WakeUps, enqueued: Enqueued) -> None:
    """Send the job's lane a wake-up, after the commit. Raises `redis.RedisError`; nothing is lost by ignoring it."""
    if enqueued.lane is not None:
        wakeups.send(enqueued.lane)
