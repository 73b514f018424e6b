"""One lease over many background jobs: how a slot gets a group, and how the group ends."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID, uuid4

import psycopg
import structlog
from psycopg.errors import LockNotAvailable, ProgramLimitExceeded

from db.queries import grouping
from db.queries.claiming import Claimed
from db.queries.grouping import GroupJob
from db.session import Pool
from worker.claiming import PAUSE_SECONDS
from worker.clock import monotonic
from worker.job_states import Ending
from worker.leases import Lease
from worker.metrics import counting
from worker.missing_schema import SCHEMA_MISSING, tell_if_missing
from worker.processes import rss_mb
from worker.settings import Settings

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Group:
    """Jobs under one lease, which is good until ``good_until`` (monotonic seconds)."""

    lane: str
    token: UUID
    jobs: list[GroupJob]
    more: bool
    """Whether the lane has ready jobs that are not for groups."""
    sent_at: float
    good_until: float
    """Earlier than the lease's own end, so that what is done after it is done for nothing, and never twice."""

    def lease_of(self, job: GroupJob, ttl_seconds: float) -> Lease:
        """What a handler sees of the lease. A write under it is refused: a job of a group gives a result alone."""
        claimed = Claimed(
            job.task_id, "background_jobs", job.job_id, self.lane, "-", self.token, 0, 0, None, waits=0, slices=0
        )
        return Lease(claimed, self.sent_at, ttl_seconds)


async def claim_group(pool: Pool, settings: Settings, lane: str, owner: str, count: int) -> Group | None:
    """Lease up to ``count`` of the lane's next jobs as one group; None when there is none to have.

    A reply that was lost is asked for again with the same token. Raises `psycopg.OperationalError` when the database
    stays away for half a lease.
    """
    token = uuid4()
    began = monotonic()
    sent_at: float | None = None
    while True:
        try:
            async with pool.connection() as connection:
                # A wait for a connection of the pool is no part of the lease.
                sent_at = monotonic() if sent_at is None else sent_at
                jobs, more = await grouping.claim_group(connection, lane, owner, token, count, settings.lease)
        except SCHEMA_MISSING as error:
            tell_if_missing(error)
            return None
        except LockNotAvailable:
            # Someone holds the lane for long. What an earlier call leased is taken back by the sweep.
            log.info("lane_locked", lane=lane)
            return None
        except psycopg.OperationalError:
            if monotonic() - began > settings.lease_seconds / 2:
                raise
            await asyncio.sleep(PAUSE_SECONDS)
            continue
        counting.group_claimed(lane, [job.waited for job in jobs], sent_at)
        return Group(lane, token, jobs, more, sent_at, sent_at + settings.lease_seconds * 0.75) if jobs else None


async def close_group(
    pool: Pool, group: Group, owner: str, completed: Sequence[tuple[GroupJob, str | None]]
) -> set[int]:
    """End a group: complete these of its jobs, each with its result as JSON text; give the tasks that ended.

    A reply that was lost is asked for again until the lease is over; what did not end then runs again.
    """
    seconds = round(monotonic() - group.sent_at, 3)
    evidence = json.dumps({"group": len(group.jobs), "seconds": seconds, "rss_mb": rss_mb()})
    tasks = [job.task_id for job, _ in completed]
    asked_before = False
    while True:
        try:
            async with pool.connection() as connection:
                ended = await grouping.close_group(connection, owner, group.token, completed, evidence)
                if asked_before and not ended:
                    ended = await grouping.ended_by(connection, group.token, tasks)
                counting.settled(group.lane, Ending.COMPLETED, "done", len(ended))
                return ended
        except (psycopg.DataError, ProgramLimitExceeded) as error:
            # One result that Postgres cannot hold: each job runs by itself next, and there the odd one is told.
            log.warning("group_refused", lane=group.lane, jobs=len(completed), error=str(error))
            completed = []
        except SCHEMA_MISSING as error:
            tell_if_missing(error)
            return set()
        except psycopg.OperationalError as error:
            log.warning("settle_repeated", lane=group.lane, jobs=len(completed), error=str(error))
            if monotonic() > group.good_until:
                return set()
            asked_before = True
            await asyncio.sleep(PAUSE_SECONDS)
