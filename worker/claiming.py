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


async def claim_one(pool: Pool, settings: Settings, lane: str, owner: str) -> Lease | None:
    """Lease the lane's best due task; None when there is none to have.

    A reply that was lost is asked for again with the same token, so it cannot cost a second task. Raises
    `psycopg.OperationalError` when the database stays away; the wake-up is then acknowledged and the reconciler sends
    another.
    """
    token = uuid4()
    for attempt in range(1, TRIES + 1):
        sent_at = monotonic()
        try:
            async with pool.connection() as connection:
                claimed = await claiming.claim(connection, lane, owner, [token], settings.lease, settings.job_timeout)
        except LockNotAvailable:
            # Someone holds the lane for long; the reconciler will ask again.
            log.info("lane_locked", lane=lane)
            return None
        except psycopg.OperationalError:
            if attempt == TRIES:
                raise
            continue
        return Lease(claimed[0], sent_at, settings.lease_seconds) if claimed else None
    return None
