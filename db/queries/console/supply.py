"""What providers give and what they cost: endpoints that drifted, and what is used of caps. Reads only, no locks."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import AsyncConnection

from db.queries.console.reading import plain_rows, rows_of


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One endpoint whose answers are known; ``drift`` tells how they departed from what is usual."""

    provider: str
    endpoint: str
    adapter_version: int
    drift: Any
    drifted_at: datetime | None
    looked_at: datetime


async def endpoints(connection: AsyncConnection[Any]) -> list[Endpoint]:
    """Every endpoint that was called, of its newest adapter. Plan: a small table."""
    return await rows_of(
        connection,
        Endpoint,
        """
        SELECT DISTINCT ON (provider, endpoint) provider, endpoint, adapter_version, drift, drifted_at, looked_at
          FROM worker.shapes ORDER BY provider, endpoint, adapter_version DESC
        """,
    )


async def used_today(connection: AsyncConnection[Any]) -> list[dict[str, Any]]:
    """Credits that count in the caps of accounts today (UTC). Plan: primary key."""
    return await plain_rows(
        connection,
        """
        SELECT provider, subject AS account, credits FROM worker.budget_use
         WHERE scope = 'day' AND day = worker.utc_now()::date ORDER BY provider, subject
        """,
    )


async def spent(connection: AsyncConnection[Any], days: int) -> list[dict[str, Any]]:
    """Calls and credits of the last days by provider and endpoint, most credits first.

    Plan: ``spend_age``; what was spent in these days is read.
    """
    return await plain_rows(
        connection,
        """
        SELECT provider, endpoint, sum(calls)::bigint AS calls, sum(credits)::bigint AS credits
          FROM worker.spend
         -- A moment that stays the same within a statement, as the index is of no use for another.
         WHERE spent_at > statement_timestamp() - %(days)s * interval '1 day'
         GROUP BY provider, endpoint
         ORDER BY provider, sum(credits) DESC, sum(calls) DESC, endpoint
        """,
        {"days": days},
    )
