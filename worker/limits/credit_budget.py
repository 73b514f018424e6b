"""Caps of credits that hold however many jobs call at once: set aside before a call, counted after it.

Rooted in Postgres, so that neither Redis nor a restart forgets what was spent.
"""

import asyncio
from collections import deque
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Final

import psycopg
import structlog
from psycopg_pool import PoolTimeout

from db.queries.limits import Payer, Reserved, reserve_credits, settle_credits
from db.session import Pool
from worker.limits.contract import Answered, Call, Hindrance, Permit, Refusal

log = structlog.get_logger()

DATABASE_WAIT: Final = timedelta(seconds=5)
LONGEST_UNSETTLED: Final = 10_000
_NAMES = {"day": "the day's credits", "tenant_day": "the tenant's credits of the day", "job": "the job's credits"}


class CreditBudget:
    """Refuses calls that a cap does not cover.

    Args:
        pool: The worker's connections.
        caps: By provider, the credits of each cap that is set: ``day`` (of an account), ``tenant_day``, ``job``.
        life: How long credits stay set aside for a call whose end nobody tells.
    """

    def __init__(self, pool: Pool, caps: Mapping[str, Mapping[str, int]], life: timedelta) -> None:
        self._pool = pool
        self._caps = caps
        self._life = life
        self._unsettled: deque[tuple[Payer, int, int]] = deque(maxlen=LONGEST_UNSETTLED)

    async def admit(self, permit: Permit) -> Permit | Refusal:
        """Set the call's list price aside. No statement where no cap is set."""
        call = permit.call
        payer = self._payer(call)
        if payer is None:
            return permit
        try:
            async with self._pool.connection() as connection:
                found = await reserve_credits(connection, payer, call.credits, self._life)
        except (psycopg.OperationalError, PoolTimeout) as error:
            return Refusal(Hindrance.BUDGET, f"no cap can be asked, Postgres is away: {error}", DATABASE_WAIT)
        if found.refused is not None:
            return _refusal(call, payer, found)
        return replace(permit, reservation=found.reservation)

    async def answered(self, permit: Permit, answer: Answered) -> None:
        """Count what was charged. While Postgres is away it is kept, and counted with a later answer."""
        payer = self._payer(permit.call)
        if permit.reservation is None or payer is None:
            return
        self._unsettled.append((payer, permit.reservation, answer.credits))
        while self._unsettled:
            payer, reservation, charged = self._unsettled.popleft()
            try:
                async with self._pool.connection() as connection:
                    await settle_credits(connection, payer, reservation, charged)
            except (psycopg.OperationalError, PoolTimeout) as error:
                self._unsettled.append((payer, reservation, charged))
                log.warning("credits_not_settled", reservation=reservation, charged=charged, error=str(error))
                return
            except asyncio.CancelledError:
                self._unsettled.append((payer, reservation, charged))
                raise

    def _payer(self, call: Call) -> Payer | None:
        caps = self._caps.get(call.provider)
        return Payer(call.provider, call.account, call.tenant, call.job_id, caps) if caps else None


def _refusal(call: Call, payer: Payer, found: Reserved) -> Refusal:
    scope = found.refused or ""
    told = (
        f"{_NAMES[scope]} at {call.provider} are used up: {found.used} of {payer.caps[scope]}, the call costs "
        f"{call.credits}"
    )
    if scope == "job":
        return Refusal(Hindrance.CREDIT_LIMIT, told, timedelta(0))
    detail = f"{told}; they are whole again at midnight UTC, or raise the cap in TRAWLER_BUDGETS"
    return Refusal(Hindrance.BUDGET, detail, found.day_left)
