"""For Python services: put a job in, in your own transaction.

Services in other languages insert a row into ``scraping_jobs``; both ways are equal.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias, TypeVar

from psycopg import Connection
from psycopg.pq import TransactionStatus

from db.queries import enqueueing, searching
from db.queries.enqueueing import NewScrapingJob
from worker import tracing
from worker.broker import WakeUps
from worker.clock import monotonic
from worker.lanes import search_lane

Wanted = TypeVar("Wanted")
Insert: TypeAlias = Callable[[Connection, Wanted, str | None], tuple[str, str | None] | None]


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
    wanted = NewScrapingJob(
        user_id=user_id,
        platform=platform,
        keywords=keywords,
        target_username=target_username,
        target_results=target_results,
        region=region,
        campaign_id=campaign_id,
        search_params=search_params,
    )
    return _enqueue(connection, enqueueing.insert_scraping_job, wanted, idempotency_key)


def enqueue_scraping_jobs(connection: Connection, jobs: Sequence[NewScrapingJob]) -> list[str]:
    """Insert many rows and their tasks at once, without committing; give their ids, in order."""
    began = monotonic()
    with _in_the_caller_s_transaction(connection):
        ids = enqueueing.insert_scraping_jobs(connection, jobs)
    tracing.enqueued(ids, began)
    return ids


def enqueue_background_job(
    connection: Connection,
    *,
    job_type: str,
    payload: Mapping[str, Any],
    priority: int = 100,
    max_retries: int = 3,
    scheduled_for: datetime | None = None,
    idempotency_key: str | None = None,
) -> Enqueued:
    """Insert a ``background_jobs`` row and its task on the caller's connection, without committing.

    ``scheduled_for`` needs a time zone; a lower ``priority`` is sooner. For the rest see `enqueue_scraping_job`.
    """
    if scheduled_for is not None and scheduled_for.tzinfo is None:
        raise ValueError(f"scheduled_for is {scheduled_for.isoformat()} without a time zone; expected one, e.g. UTC")
    wanted = enqueueing.NewBackgroundJob(job_type, payload, priority, max_retries, scheduled_for)
    return _enqueue(connection, enqueueing.insert_background_job, wanted, idempotency_key)


def enqueue_search(
    connection: Connection,
    *,
    search_id: str,
    platform: str,
    total_count: int,
    keywords: Sequence[str] | None = None,
    target_username: str | None = None,
    campaign_id: str | None = None,
    user_id: str | None = None,
    region: str | None = None,
    search_params: Mapping[str, Any] | None = None,
) -> Enqueued:
    """Insert a ``search_jobs`` row and what it asks for on the caller's connection, without committing.

    The id is the idempotency key: a second call with it changes nothing. ``user_id`` is who is charged, where the
    campaign does not say. For the rest see `enqueue_scraping_job`.
    """
    wanted = searching.NewSearch(
        search_id,
        platform,
        total_count,
        keywords,
        target_username,
        campaign_id,
        user_id,
        region,
        search_params,
    )
    with _in_the_caller_s_transaction(connection):
        created = searching.insert_search(connection, wanted)
    return Enqueued(search_id, search_lane(platform.strip().lower()) if created else None, created)


@contextmanager
def _in_the_caller_s_transaction(connection: Connection) -> Iterator[None]:
    """A savepoint, so that a row that is refused leaves the caller's transaction usable."""
    if not connection.autocommit and connection.info.transaction_status is TransactionStatus.IDLE:
        # The block below would be the whole transaction, and commit it; so the caller's is begun first.
        connection.execute("SELECT 1")
    with connection.transaction():
        yield


def _enqueue(connection: Connection, insert: Insert[Wanted], wanted: Wanted, key: str | None) -> Enqueued:
    began = monotonic()
    while True:
        with _in_the_caller_s_transaction(connection):
            inserted = insert(connection, wanted, key)
        if inserted is not None:
            tracing.enqueued([inserted[0]], began)
            return Enqueued(*inserted, created=True)
        assert key is not None  # noqa: S101 - without a key the row is always inserted
        # A taken key may be pruned before it is read; then it is free, and the next try takes it.
        if (known := enqueueing.job_of_key(connection, key)) is not None:
            return Enqueued(known, lane=None, created=False)


def wake(wakeups: WakeUps, enqueued: Enqueued) -> None:
    """Send the job's lane a wake-up, after the commit. Raises `redis.RedisError`; nothing is lost by ignoring it."""
    if enqueued.lane is not None:
        wakeups.send(enqueued.lane)
