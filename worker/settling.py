"""How a slice's decision is written down, once, whatever happens to the reply."""

import asyncio

import psycopg
import structlog

from db.queries import settling
from db.session import Pool, storable
from worker.job_states import Decision, Ending
from worker.leases import Lease

log = structlog.get_logger()

PAUSE_SECONDS = 0.5


async def settle(pool: Pool, lease: Lease, owner: str, decision: Decision) -> None:
    """Close the task or give it back, as decided; write nothing when authority was lost.

    A reply that was lost is asked for again with the same token while the lease lasts; after that the sweep takes the
    task, which costs a crash count and nothing else.
    """
    if decision.ending is Ending.LOST:
        log.warning("lease_lost", task=lease.task_id, job=lease.job_id, epoch=lease.epoch, reason=decision.reason)
        return
    repeated = False
    while True:
        try:
            async with pool.connection() as connection:
                settled = await _write(connection, lease, owner, decision)
                ours = settled.owned or (repeated and await settling.settled_by(connection, lease.task_id, lease.token))
        except psycopg.OperationalError as error:
            log.warning("settle_repeated", task=lease.task_id, error=str(error))
            if not lease.held:
                return
            repeated = True
            await asyncio.sleep(PAUSE_SECONDS)
            continue
        break
    event = log.warning if decision.ending in (Ending.ERROR, Ending.RETRY) else log.info
    if ours:
        event(
            "slice_settled",
            task=lease.task_id,
            job=lease.job_id,
            epoch=lease.epoch,
            ending=decision.ending.value,
            reason=decision.reason,
            detail=decision.detail,
        )
    else:
        log.warning("lease_lost", task=lease.task_id, job=lease.job_id, epoch=lease.epoch, reason="fenced")


async def _write(connection: psycopg.AsyncConnection, lease: Lease, owner: str, decision: Decision) -> settling.Settled:
    key = (connection, lease.task_id, lease.token, owner)
    detail = None if decision.detail is None else storable(decision.detail)
    match decision.ending:
        case Ending.COMPLETED | Ending.ERROR | Ending.TIMEOUT:
            return await settling.close(*key, decision.ending.value, decision.reason, detail)
        case Ending.OUTSIDE:
            return await settling.close_outside(*key)
        case _:
            return await settling.give_back(*key, decision.ending.value, decision.reason, detail, decision.delay)
