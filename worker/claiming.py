"""How a slot gets a task."""

import asyncio
from datetime import timedelta
from uuid import uuid4

import psycopg
import structlog
from psycopg.errors import LockNotAvailable

from db.queries import claiming
from db.session import Pool
from worker import tracing
from worker.clock import monotonic
from worker.leases import Lease
from worker.metrics import counting
from worker.missing_schema import SCHEMA_MISSING, tell_if_missing
from worker.settings import Settings

log = structlog.get_logger()

PAUSE_SECONDS = 0.2


async def claim(
    pool: Pool, settings: Settings, lane: str, owner: str, count: int = 1, job_timeout: timedelta | None = None
) -> list[Lease]:
    """Lease up to ``count`` of the lane's best due tasks; none when there is none to have.

    ``job_timeout`` is the longest life of a job that set none, the setting's where it is not given.
    A reply that was lost is asked for again with the same tokens, so it cannot cost further tasks; the leases count
    from the first that was sent, which may be the one that was done. Raises `psycopg.OperationalError` when the
    database stays away for half a lease; the wake-up is then acknowledged and the reconciler sends another.
    """
    timeout = settings.job_timeout if job_timeout is None else job_timeout
    tokens = [uuid4() for _ in range(count)]
    began = monotonic()
    sent_at: float | None = None
    repeated = False
    while True:
        try:
            async with pool.connection() as connection:
                # A wait for a connection of the pool is no part of the lease.
                sent_at = monotonic() if sent_at is None else sent_at
                claimed = await claiming.claim(connection, lane, owner, tokens, settings.lease, timeout)
        except SCHEMA_MISSING as error:
            tell_if_missing(error)
            return []
        except psycopg.OperationalError as error:
            if isinstance(error, LockNotAvailable) and not repeated:
                # Someone holds the lane for long; the reconciler will ask again.
                log.info("lane_locked", lane=lane)
                return []
            if monotonic() - began > settings.lease_seconds / 2:
                raise
            repeated = True
            await asyncio.sleep(PAUSE_SECONDS)
            continue
        counting.claimed(lane, claimed, began)
        leases = [Lease(task, sent_at, settings.lease_seconds) for task in claimed]
        tracing.claimed(leases, owner, began)
        return leases
