"""How a slot gets a task."""

from uuid import uuid4

import psycopg
import structlog
from psycopg.errors import LockNotAvailable

from db.queries import claiming
from db.session import Pool
from worker.clock import monotonic
from worker.leases import Lease
from worker.settings import Settings

log = structlog.get_logger()

TRIES = 3


async def claim(pool: Pool, settings: Settings, lane: str, owner: str, count: int = 1) -> list[Lease]:
    """Lease up to ``count`` of the lane's best due tasks; none when there is none to have.

    A reply that was lost is asked for again with the same tokens, so it cannot cost further tasks. Raises
    `psycopg.OperationalError` when the database stays away; the wake-up is then acknowledged and the reconciler sends
    another.
    """
    tokens = [uuid4() for _ in range(count)]
    for attempt in range(1, TRIES + 1):
        sent_at = monotonic()
        try:
            async with pool.connection() as connection:
                claimed = await claiming.claim(connection, lane, owner, tokens, settings.lease, settings.job_timeout)
        except LockNotAvailable:
            # Someone holds the lane for long; the reconciler will ask again.
            log.info("lane_locked", lane=lane)
            return []
        except psycopg.OperationalError:
            if attempt == TRIES:
                raise
            continue
        return [Lease(task, sent_at, settings.lease_seconds) for task in claimed]
    return []
