"""Trials that end and months that begin: batches of users, each changed once."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, LiteralString

from psycopg import AsyncConnection
from psycopg.rows import class_row

_NOW: Final[LiteralString] = "(statement_timestamp() AT TIME ZONE 'UTC')"
# A paid subscription has converted: the billing sync says so, and nobody else ends its trial.
_TRIAL_OVER: Final[LiteralString] = (
    f"s.trial_status = 'active' AND s.trial_end_date <= {_NOW} AND s.subscription_status <> 'active'"
)
_OLD_MONTH: Final[LiteralString] = f"g.usage_reset_date < date_trunc('month', {_NOW})"


async def utc_now(connection: AsyncConnection[Any]) -> datetime:
    """The database's time as the application's columns hold it: UTC without a zone. No locks."""
    row = await (await connection.execute("SELECT worker.utc_now()")).fetchone()
    assert row is not None  # noqa: S101 - a SELECT without FROM gives one row
    return row[0]  # type: ignore[no-any-return]


@dataclass(frozen=True, slots=True)
class PlanLimits:
    """What a plan allows; -1 is no limit."""

    plan_key: str
    campaigns_limit: int
    creators_limit: int
    features: Any


async def plans(connection: AsyncConnection[Any]) -> dict[str, PlanLimits]:
    """Every plan by its key. No locks. Plan: a few rows."""
    async with connection.cursor(row_factory=class_row(PlanLimits)) as cursor:
        await cursor.execute(
            "SELECT plan_key, campaigns_limit, creators_limit, coalesce(features, '{}') AS features"
            "  FROM public.subscription_plans ORDER BY sort_order, plan_key"
        )
        return {plan.plan_key: plan for plan in await cursor.fetchall()}


@dataclass(frozen=True, slots=True)
class EndedTrial:
    """One trial that this call ended. ``ended_at`` is when it was over, UTC without a zone."""

    user_id: str
    plan: str
    ended_at: datetime


async def expire_due(connection: AsyncConnection[Any], batch: int, user_id: str | None = None) -> list[EndedTrial]:
    """End up to ``batch`` trials that are over, oldest first; of one user where ``user_id`` (Clerk) is given.

    ``past_due`` stays what it is, any other status becomes ``canceled``. Users whom somebody else has locked are left
    for the next call. Locks: the rows of ``users``, then of ``user_subscriptions``. Plan:
    ``idx_user_subscriptions_active_trials``, then primary keys.
    """
    async with connection.cursor(row_factory=class_row(EndedTrial)) as cursor:
        await cursor.execute(
            f"""
            WITH due AS MATERIALIZED (
                SELECT s.id, u.user_id
                  FROM public.user_subscriptions s JOIN public.users u ON u.id = s.user_id
                 WHERE {_TRIAL_OVER} AND (%(user_id)s::text IS NULL OR u.user_id = %(user_id)s::text)
                 ORDER BY s.trial_end_date, s.id LIMIT %(batch)s
                   FOR NO KEY UPDATE OF u SKIP LOCKED)
            UPDATE public.user_subscriptions s
               SET trial_status = 'expired', updated_at = worker.utc_now(),
                   subscription_status = CASE s.subscription_status WHEN 'past_due' THEN 'past_due' ELSE 'canceled' END
              FROM due d WHERE s.id = d.id AND {_TRIAL_OVER}
            RETURNING d.user_id, s.current_plan AS plan, s.trial_end_date AS ended_at
            """,
            {"batch": batch, "user_id": user_id},
        )
        return await cursor.fetchall()


@dataclass(frozen=True, slots=True)
class NewMonth:
    """One user whose month this call began, and what was used in the one before. ``month`` is its first moment."""

    user_id: str
    month: datetime
    creators: int
    enrichments: int


async def begin_months(connection: AsyncConnection[Any], batch: int) -> list[NewMonth]:
    """Set the month's counters of up to ``batch`` users to nothing whose last reset lies in an earlier month (UTC).

    Users whom somebody else has locked are left for the next call. Locks: the rows of ``users``, then of
    ``user_usage``. Plan: ``idx_user_usage_reset_date``, then primary keys.
    """
    async with connection.cursor(row_factory=class_row(NewMonth)) as cursor:
        await cursor.execute(
            f"""
            WITH due AS MATERIALIZED (
                SELECT g.id, u.user_id, g.usage_creators_current_month AS creators,
                       g.enrichments_current_month AS enrichments
                  FROM public.user_usage g JOIN public.users u ON u.id = g.user_id
                 WHERE {_OLD_MONTH}
                 ORDER BY g.usage_reset_date, g.id LIMIT %s
                   FOR NO KEY UPDATE OF g, u SKIP LOCKED)
            UPDATE public.user_usage g
               SET usage_creators_current_month = 0, enrichments_current_month = 0, updated_at = worker.utc_now(),
                   usage_reset_date = date_trunc('month', {_NOW})
              FROM due d WHERE g.id = d.id AND {_OLD_MONTH}
            RETURNING d.user_id, g.usage_reset_date AS month, d.creators, d.enrichments
            """,
            (batch,),
        )
        return await cursor.fetchall()


async def months_left(connection: AsyncConnection[Any]) -> bool:
    """Whether a user's month is still to begin. No locks. Plan: ``idx_user_usage_reset_date``."""
    row = await (
        await connection.execute(f"SELECT EXISTS (SELECT FROM public.user_usage g WHERE {_OLD_MONTH})")
    ).fetchone()
    return bool(row and row[0])
