"""What provider calls cost, kept whatever becomes of the page they were made for."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, LiteralString

from psycopg import AsyncConnection, Connection
from psycopg.rows import dict_row


@dataclass(frozen=True, slots=True)
class Spend:
    """Calls to one endpoint, and their credits in the provider's unit."""

    provider: str
    account: str
    endpoint: str
    calls: int
    credits: int


async def record_spend(connection: AsyncConnection[Any], task_id: int, spends: Sequence[Spend]) -> None:
    """Add calls that belong to no stored page: refused ones, and those of a slice that left.

    Not fenced: who lost the lease has spent all the same. No locks. Plan: a primary key.
    """
    await connection.execute(
        """
        INSERT INTO worker.spend (job_table, job_id, tenant, provider, account, endpoint, calls, credits)
        SELECT t.job_table, t.job_id, t.tenant, s.provider, s.account, s.endpoint, s.calls, s.credits
          FROM worker.tasks t,
               unnest(%s::text[], %s::text[], %s::text[], %s::integer[], %s::bigint[])
                   AS s (provider, account, endpoint, calls, credits)
         WHERE t.id = %s
        """,
        (*columns(spends), task_id),
    )


def columns(spends: Sequence[Spend]) -> tuple[list[str], list[str], list[str], list[int], list[int]]:
    """The same as one array a column."""
    return (
        [spend.provider for spend in spends],
        [spend.account for spend in spends],
        [spend.endpoint for spend in spends],
        [spend.calls for spend in spends],
        [spend.credits for spend in spends],
    )


SPENT_BY: Final = ("provider", "account", "endpoint", "day", "tenant", "job")
"""What spend can be added up by; days are UTC."""

_COLUMNS: Final[dict[str, LiteralString]] = {
    "provider": "s.provider",
    "account": "s.account",
    "endpoint": "s.endpoint",
    "day": "(s.spent_at AT TIME ZONE 'UTC')::date",
    "tenant": "s.tenant",
    "job": "s.job_id",
}


def spent(
    connection: Connection, by: Sequence[str], days: int, provider: str | None = None, job_id: str | None = None
) -> list[dict[str, Any]]:
    """Calls and credits of the last ``days`` days, today among them, added up; most credits first.

    Credits of different providers are different units, so ``provider`` always is one of the columns.
    Plan: ``spend_age``, or ``spend_job`` for a job. No locks.
    """
    chosen = ["provider", *(name for name in by if name != "provider")]
    columns: LiteralString = ", ".join(f"{_COLUMNS[name]} AS {name}" for name in SPENT_BY if name in chosen)
    places: LiteralString = ", ".join(_COLUMNS[name] for name in SPENT_BY if name in chosen)
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(
            f"""
            SELECT {columns}, sum(s.calls)::bigint AS calls, sum(s.credits)::bigint AS credits
              FROM worker.spend s
             -- The statement's time, because one that changes while it runs could not bound an index scan.
             WHERE s.spent_at >= ((statement_timestamp() AT TIME ZONE 'UTC')::date - %(days)s + 1)::timestamp
                                 AT TIME ZONE 'UTC'
               AND (%(provider)s::text IS NULL OR s.provider = %(provider)s)
               AND (%(job_id)s::text IS NULL OR s.job_id = %(job_id)s)
             GROUP BY {places}
             ORDER BY sum(s.credits) DESC, sum(s.calls) DESC, {places}
            """,
            {"days": days, "provider": provider, "job_id": job_id},
        ).fetchall()


def used_of_caps(connection: Connection, most: int = 50) -> list[dict[str, Any]]:
    """What caps count today (UTC), and of jobs at all; what uses most comes first, ``most`` rows. No locks.

    Plan: a scan of the caps in use, of which old days are deleted.
    """
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(
            """
            SELECT u.provider, u.scope, u.subject, u.credits
              FROM worker.budget_use u
             WHERE u.day IN ('-infinity', worker.utc_now()::date)
             ORDER BY u.credits DESC, u.provider, u.scope, u.subject LIMIT %s
            """,
            (most,),
        ).fetchall()
