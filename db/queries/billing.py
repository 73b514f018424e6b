"""A user's billing in the application's tables, as the payment provider's events tell it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, LiteralString
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

AGGREGATE: Final = "subscription"
RECEIVED: Final = "billing_webhook_synced"
"""What we keep of a webhook event; the application's own note of it has another name and another shape."""

SOURCE: Final = "stripe_webhook"
"""What the application calls the sender of these events."""


@dataclass(frozen=True, slots=True)
class Payer:
    """Whose events these are: the key of the user's tables, the application's user id, and what matters of the rows."""

    id: UUID
    user_id: str
    customer: str | None
    trial_status: str | None
    newest_webhook: datetime | None


async def lock_payer(connection: AsyncConnection[Any], customer: str, user_id: str | None) -> Payer | None:
    """The user of a customer id, else of a user id, locked so that one user's events are applied one after the other.

    Locks: the row of ``users``. Plan: the unique indexes of ``stripe_customer_id`` and ``user_id``.
    """
    cursor = await connection.execute(
        """
        SELECT u.id FROM public.users u
         WHERE u.id = coalesce((SELECT b.user_id FROM public.user_billing b WHERE b.stripe_customer_id = %s),
                               (SELECT w.id FROM public.users w WHERE w.user_id = %s))
           FOR NO KEY UPDATE
        """,
        (customer, user_id),
    )
    if (row := await cursor.fetchone()) is None:
        return None
    # Read by a statement of its own, which sees what the one that held the lock before has written.
    async with connection.cursor(row_factory=class_row(Payer)) as reading:
        await reading.execute(
            """
            SELECT u.id, u.user_id,
                   (SELECT b.stripe_customer_id FROM public.user_billing b
                     WHERE b.user_id = u.id ORDER BY b.created_at, b.id LIMIT 1) AS customer,
                   (SELECT s.trial_status FROM public.user_subscriptions s
                     WHERE s.user_id = u.id ORDER BY s.created_at, s.id LIMIT 1) AS trial_status,
                   (SELECT d.last_webhook_timestamp FROM public.user_system_data d
                     WHERE d.user_id = u.id ORDER BY d.created_at, d.id LIMIT 1) AS newest_webhook
              FROM public.users u WHERE u.id = %s
            """,
            row,
        )
        return await reading.fetchone()


async def received_events(connection: AsyncConnection[Any], customer: str) -> list[tuple[Any, Any]]:
    """Data and metadata of a customer's billing events, as they came. No locks. Plan: the index of the aggregate."""
    cursor = await connection.execute(
        """
        SELECT event_data, metadata FROM public.events
         WHERE aggregate_id = %s AND aggregate_type = %s AND event_type = %s ORDER BY timestamp, id
        """,
        (customer, AGGREGATE, RECEIVED),
    )
    return await cursor.fetchall()


async def receive_event(
    connection: AsyncConnection[Any], customer: str, key: str, data: Mapping[str, Any], metadata: Mapping[str, Any]
) -> bool:
    """Keep a billing event; False when it was there. Nothing is left to process of it. Locks: the new row."""
    cursor = await connection.execute(
        """
        INSERT INTO public.events (aggregate_id, aggregate_type, event_type, event_data, metadata, timestamp,
                                   processed_at, processing_status, idempotency_key, source_system, correlation_id)
        VALUES (%s, %s, %s, %s, %s, worker.utc_now(), worker.utc_now(), 'completed', %s, %s, %s)
        ON CONFLICT (idempotency_key) DO NOTHING
        """,
        (customer, AGGREGATE, RECEIVED, Jsonb(dict(data)), Jsonb(dict(metadata)), key, SOURCE, customer),
    )
    return cursor.rowcount > 0


@dataclass(frozen=True, slots=True)
class Plan:
    """What a price buys."""

    price: str
    plan_key: str
    campaigns_limit: int
    creators_limit: int
    features: Any


async def plans_by_price(connection: AsyncConnection[Any]) -> dict[str, Plan]:
    """Every plan by its monthly and yearly price; an active one goes before another. No locks. Plan: a few rows."""
    async with connection.cursor(row_factory=class_row(Plan)) as cursor:
        await cursor.execute(
            """
            SELECT price, plan_key, campaigns_limit, creators_limit, coalesce(features, '{}') AS features
              FROM public.subscription_plans p
             CROSS JOIN LATERAL (VALUES (p.stripe_monthly_price_id), (p.stripe_yearly_price_id)) AS v (price)
             WHERE price <> '' ORDER BY is_active, plan_key
            """
        )
        return {plan.price: plan for plan in await cursor.fetchall()}


COLUMNS: Final[dict[str, Sequence[LiteralString]]] = {
    "user_billing": ("stripe_customer_id", "stripe_subscription_id"),
    "user_subscriptions": (
        "subscription_status",
        "current_plan",
        "trial_status",
        "trial_start_date",
        "trial_end_date",
        "trial_conversion_date",
        "subscription_cancel_date",
        "subscription_renewal_date",
        "billing_sync_status",
    ),
    "user_usage": ("plan_campaigns_limit", "plan_creators_limit", "plan_features"),
    "user_system_data": ("last_webhook_event", "last_webhook_timestamp"),
}
"""What may be written, by table."""

_TABLES: Final[dict[str, LiteralString]] = {
    "user_billing": "public.user_billing",
    "user_subscriptions": "public.user_subscriptions",
    "user_usage": "public.user_usage",
    "user_system_data": "public.user_system_data",
}


async def write_row(connection: AsyncConnection[Any], table: str, user: UUID, values: Mapping[str, Any]) -> None:
    """Set columns of the user's row in one of `COLUMNS`' tables; make the row where there is none.

    Call it with the user locked, for no index keeps a second row out. Locks: the row. Plan: the index of ``user_id``.
    """
    columns = [name for name in COLUMNS[table] if name in values]
    where = _TABLES[table]
    assignments = "".join(f"{name} = %({name})s, " for name in columns)
    parameters = {name: Jsonb(values[name]) if name == "plan_features" else values[name] for name in columns}
    parameters["user"] = user
    updated = await connection.execute(
        f"UPDATE {where} SET {assignments}updated_at = worker.utc_now() WHERE id ="
        f" (SELECT r.id FROM {where} r WHERE r.user_id = %(user)s ORDER BY r.created_at, r.id LIMIT 1)",
        parameters,
    )
    if updated.rowcount:
        return
    names = "".join(f", {name}" for name in columns)
    places = "".join(f", %({name})s" for name in columns)
    await connection.execute(
        f"INSERT INTO {where} (user_id{names}, created_at, updated_at)"
        f" VALUES (%(user)s{places}, worker.utc_now(), worker.utc_now())",
        parameters,
    )


async def begin_month(connection: AsyncConnection[Any], user: UUID, paid_at: datetime) -> bool:
    """Set the month's counters to 0 when the payment is of a later month than they are; give whether it was.

    Locks: the row of ``user_usage``. Plan: the index of ``user_id``.
    """
    cursor = await connection.execute(
        """
        UPDATE public.user_usage
           SET usage_creators_current_month = 0, enrichments_current_month = 0,
               usage_reset_date = date_trunc('month', %(paid_at)s::timestamp), updated_at = worker.utc_now()
         WHERE user_id = %(user)s
           AND date_trunc('month', usage_reset_date) < date_trunc('month', %(paid_at)s::timestamp)
        """,
        {"user": user, "paid_at": paid_at},
    )
    return cursor.rowcount > 0
