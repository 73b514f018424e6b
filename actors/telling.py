"""What is told of a job beside its row: moves to another provider, and searches without a result."""

from collections.abc import Sequence

import psycopg
import structlog

from actors.segments import FailedOver
from db.queries.events import NewEvent, raise_event
from db.queries.searching import search_id
from db.session import Pool
from worker.leases import Lease

log = structlog.get_logger()


async def tell_of_failover(pool: Pool, lease: Lease, moved: FailedOver) -> None:
    """Raise the event ``provider_failed_over``, once for each move of a job.

    Told when the new provider has given a page, before that page is stored: a worker that dies in between tells it
    again, under the same key. A table of events that refuses it does not hold up the job.
    """
    key = f"provider_failed_over:{lease.job_id}:{moved.number}:{moved.before}:{moved.to}"
    told = {
        "from": moved.before,
        "to": moved.to,
        "reason": moved.reason,
        "detail": moved.detail,
        "segment": moved.number,
    }
    try:
        async with pool.connection() as connection:
            kind, name = "scraping_job", lease.job_id
            if lease.job_table == "search_jobs":
                kind, name = "search_job", await search_id(connection, lease.job_id) or lease.job_id
            await raise_event(connection, NewEvent(kind, name, "provider_failed_over", key, told))
    except psycopg.OperationalError:
        raise
    except psycopg.Error as error:
        log.warning("event_not_raised", event_type="provider_failed_over", key=key, error=str(error))


def tell_of_nothing(lease: Lease, asked: Sequence[str], reason: str) -> None:
    """Warn of a job that ends with nothing although its search was asked again, of every provider."""
    log.warning("nothing_found", job=lease.job_id, asked=list(asked), last_end=reason)
