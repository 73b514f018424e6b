"""Groups of background jobs: leased as one, run one after another, completed together.

A group is for the ordinary case. A job that raises, takes long or gives what is no JSON is left out of it, and runs
once more under a lease of its own, where it is judged as any other.
"""

import asyncio
from enum import Enum, auto

import msgspec
import structlog

from actors.handlers.contract import Handler, JobContext
from actors.runtime import Runtime
from db.queries.grouping import GroupJob
from worker.clock import monotonic
from worker.groups import Group, close_group

log = structlog.get_logger()

AT_ONCE = 2
"""Groups of a lane in one process: while one is written the other runs. More would only wait for each other."""


class After(Enum):
    """What a slot does next on its lane."""

    GROUP = auto()
    """Another group: there is nothing else."""
    LEASES = auto()
    """Jobs by themselves: there are some, or there was nothing for a group."""
    LEAVE = auto()
    """Nothing: enough slots of this process are at it."""


async def work_group(runtime: Runtime, lane: str, handler: Handler, count: int) -> After:
    """Lease and run a group of up to ``count`` of the lane's jobs, if there is one to have."""
    if runtime.groups[lane] >= AT_ONCE:
        return After.LEAVE
    runtime.groups[lane] += 1
    try:
        async with runtime.group(lane, count) as group:
            if group is None:
                return After.LEASES
            await _work(runtime, group, handler)
        return After.LEASES if group.more else After.GROUP
    finally:
        runtime.groups[lane] -= 1


async def _work(runtime: Runtime, group: Group, handler: Handler) -> None:
    completed: list[tuple[GroupJob, str | None]] = []
    try:
        async with asyncio.timeout(max(group.good_until - monotonic(), 0)):
            await _run(runtime, group, handler, completed)
    except TimeoutError:
        log.warning("group_hung", lane=group.lane, jobs=len(group.jobs), done=len(completed))
    ended = await close_group(runtime.pool, group, runtime.owner, completed)
    log.info(
        "group_settled",
        lane=group.lane,
        jobs=len(group.jobs),
        completed=len(ended),
        seconds=round(monotonic() - group.sent_at, 3),
    )
    runtime.slice_ended(len(group.jobs))


async def _run(runtime: Runtime, group: Group, handler: Handler, completed: list[tuple[GroupJob, str | None]]) -> None:
    """Add to ``completed``. A process that is told to end leaves the rest, which others then run."""
    for job in group.jobs:
        if runtime.stopping.is_set():
            return
        lease = group.lease_of(job, runtime.settings.lease_seconds)
        context = JobContext(runtime.pool, lease, handler.job_type, 1, runtime.owner, runtime.configuration, runtime)
        try:
            payload = msgspec.json.decode(job.payload, type=handler.payload)
            result = await handler.run(context, payload)
            completed.append((job, None if result is None else msgspec.json.encode(result).decode()))
        except Exception as error:  # whatever it is, it is told where the job runs by itself
            log.info("job_left_group", job=job.job_id, error=f"{type(error).__name__}: {error}")
