"""Caps of credits: set aside before a call, counted after it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from psycopg import AsyncConnection
from psycopg.rows import class_row


@dataclass(frozen=True, slots=True)
class Payer:
    """Who pays for a call, and which caps count it: ``day``, ``tenant_day``, ``job``, each with its credits."""

    provider: str
    account: str
    tenant: str
    job_id: str
    caps: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Reserved:
    """A reservation, or the cap that is in the way and what is used of it. ``day_left`` is the time to UTC midnight."""

    reservation: int | None
    refused: str | None
    used: int | None
    day_left: timedelta


async def reserve_credits(connection: AsyncConnection[Any], payer: Payer, price: int, life: timedelta) -> Reserved:
    """Set a call's price aside under every cap of the payer, or under none.

    Exact however many ask at once: a cap's row is locked before it is read. Where a cap is in the way, what was set
    aside by processes that are gone is given back, and the cap is asked once more.
    Locks: the caps' rows, in one order, for this statement alone. Plan: primary keys; the ledger once a row.
    """
    found = await _reserve(connection, payer, price, life)
    if found.refused is None:
        return found
    cursor = await connection.execute("SELECT worker.release_expired_credits(%s)", (payer.provider,))
    released = await cursor.fetchone()
    return await _reserve(connection, payer, price, life) if released and released[0] else found


async def settle_credits(connection: AsyncConnection[Any], payer: Payer, reservation: int, charged: int) -> None:
    """Put what was charged in the place of what was set aside. Doing it twice would count it twice.

    Locks: the reservation, then the caps' rows in their order. Plan: primary keys.
    """
    await connection.execute(
        "SELECT worker.settle_credits(%s, %s::text[], %s, %s, %s, %s, %s)",
        (reservation, list(payer.caps), payer.provider, payer.account, payer.tenant, payer.job_id, charged),
    )


async def _reserve(connection: AsyncConnection[Any], payer: Payer, price: int, life: timedelta) -> Reserved:
    async with connection.cursor(row_factory=class_row(Reserved)) as cursor:
        await cursor.execute(
            """
            SELECT reservation, refused, used, day_left
              FROM worker.reserve_credits(%s::text[], %s::bigint[], %s, %s, %s, %s, %s, %s)
            """,
            (
                list(payer.caps),
                list(payer.caps.values()),
                payer.provider,
                payer.account,
                payer.tenant,
                payer.job_id,
                price,
                life,
            ),
        )
        found = await cursor.fetchone()
        assert found is not None  # noqa: S101 - the function gives one row
        return found
