"""How a slice's decision is written down, once, whatever happens to the reply."""

import asyncio
import json
from dataclasses import replace

import psycopg
import structlog
from psycopg.errors import ProgramLimitExceeded

from db.queries import settling
from db.session import Pool, storable
from worker.clock import monotonic
from worker.completions import Completions
from worker.job_states import Decision, Ending
from worker.leases import Lease
from worker.metrics import counting
from worker.missing_schema import SCHEMA_MISSING, tell_if_missing
from worker.processes import rss_mb

log = structlog.get_logger()

PAUSE_SECONDS = 0.5
MEND_HANDLER = "Mend the handler, then retry the job."

WRITERS = {
    Ending.COMPLETED: settling.close,
    Ending.ERROR: settling.close,
    Ending.TIMEOUT: settling.close,
    Ending.OUTSIDE: settling.close_outside,
}


def settlement_of(lease: Lease, owner: str, decision: Decision) -> settling.Settlement:
    """What a holder writes of its slice, with what the slice took so far as evidence."""
    return settling.Settlement(
        job_table=lease.job_table,
        task_id=lease.task_id,
        token=lease.token,
        owner=owner,
        outcome=decision.ending.value,
        reason=decision.reason,
        detail=None if decision.detail is None else storable(decision.detail),
        delay=decision.delay,
        newest_page=lease.newest_page,
        result=decision.result,
        evidence=json.dumps({"seconds": round(monotonic() - lease.claimed_at, 3), "rss_mb": rss_mb()}),
    )


async def settle(
    pool: Pool, lease: Lease, owner: str, decision: Decision, completions: Completions | None = None
) -> None:
    """Close the task or give it back, as decided; write nothing when authority was lost or all is written already.

    With ``completions`` a background job that is completed is written together with others of its process.
    A reply that was lost is asked for again with the same token while the lease lasts; after that the sweep takes the
    task, which costs a crash count and nothing else.
    """
    about = lease.names
    if decision.ending is Ending.LOST:
        log.warning("lease_lost", **about, reason=decision.reason)
        counting.lost(lease.lane, decision.reason)
        return
    if decision.written:
        counting.settled(lease.lane, decision.ending, decision.reason)
        log.info("slice_settled", **about, ending=decision.ending, reason=decision.reason)
        return
    settlement = settlement_of(lease, owner, decision)
    written: settling.Settlement | None = settlement
    if completions is None or not completions.takes(settlement):
        written = await _write(pool, lease, settlement)
    elif not await completions.write(settlement):
        # What the group does not tell of may be written all the same, where the reply to it was lost.
        written = await _write(pool, lease, settlement, asked_before=True)
    if written is not None:
        counting.settled(lease.lane, written.outcome, written.reason)
        tell = log.warning if written.outcome in (Ending.ERROR, Ending.RETRY) else log.info
        tell("slice_settled", **about, ending=written.outcome, reason=written.reason, detail=written.detail)


async def _write(
    pool: Pool, lease: Lease, settlement: settling.Settlement, *, asked_before: bool = False
) -> settling.Settlement | None:
    """What is written of the slice in the end; None where nothing is, of which the log tells."""
    about = lease.names
    while True:
        try:
            async with pool.connection() as connection:
                settled = await WRITERS.get(Ending(settlement.outcome), settling.give_back)(connection, settlement)
                if not settled.owned and not (
                    asked_before and await settling.settled_by(connection, lease.task_id, lease.token)
                ):
                    log.warning("lease_lost", **about, reason="fenced")
                    counting.lost(lease.lane, "fenced")
                    return None
                return settlement
        except (psycopg.DataError, ProgramLimitExceeded) as error:
            if settlement.result is None:
                raise
            # A result that Postgres cannot hold is the handler's fault; the job must still end.
            settlement = replace(
                settlement,
                outcome="error",
                reason="result_refused",
                detail=storable(f"Postgres cannot hold the result: {error}. {MEND_HANDLER}"),
                result=None,
            )
        except SCHEMA_MISSING as error:
            # There is no task any more that could be told.
            tell_if_missing(error)
            return None
        except psycopg.OperationalError as error:
            log.warning("settle_repeated", **about, error=str(error))
            if not lease.held:
                log.warning("lease_lost", **about, reason="lease_not_renewed")
                counting.lost(lease.lane, "lease_not_renewed")
                return None
            asked_before = True
            await asyncio.sleep(PAUSE_SECONDS)
