"""``sync_subscription``: applies one webhook event of the payment provider to the user's tables.

The event is kept in ``events`` under its id, so a second delivery changes nothing. What is written is the difference
between what all kept events of the customer tell with it and without it (`subscription_history`): an older event that
comes late undoes nothing newer, and what the application wrote meanwhile stays where the event says nothing about it.
"""

from dataclasses import fields
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec
import structlog
from psycopg import AsyncConnection

from actors.handlers.billing_event import TYPES, BillingEvent
from actors.handlers.contract import Handler, JobContext, JobSettled
from actors.handlers.stripe_events import StripeEvent, kept, user_in
from actors.handlers.subscription_history import Billing, fold
from db.queries import billing
from db.queries.events import NewEvent, raise_event
from db.queries.follow_ups import FollowUp, queue_job
from worker.errors import FailJob, RetryJob

log = structlog.get_logger()

SETTLES_FIRST: Final = timedelta(seconds=2)
"""How long onboarding waits after its event, so that the events made in the same moment are in."""

UNKNOWN_WAIT: Final = timedelta(seconds=15)
"""Before an unknown customer is looked for again: the checkout links the customer a moment later."""

PLACES: Final = {
    "subscription": ("user_billing", "stripe_subscription_id"),
    "status": ("user_subscriptions", "subscription_status"),
    "trial": ("user_subscriptions", "trial_status"),
    "trial_start": ("user_subscriptions", "trial_start_date"),
    "trial_end": ("user_subscriptions", "trial_end_date"),
    "converted_at": ("user_subscriptions", "trial_conversion_date"),
    "cancelled_at": ("user_subscriptions", "subscription_cancel_date"),
    "renews_at": ("user_subscriptions", "subscription_renewal_date"),
}
"""Where each thing that the events tell is written."""

FIRST_TOLD: Final = {"subscription", "status", "trial", "trial_start", "trial_end", "renews_at"}
"""What once told never becomes unknown again; the others are set back to NULL."""


async def run(context: JobContext, payload: StripeEvent) -> JobSettled:
    """Apply the event, raise the application's events and queue onboarding, all with the job's completion.

    Raises `FailJob` for an event of another type, and `RetryJob` while no user has the customer.
    """
    if payload.type not in TYPES:
        raise FailJob(
            "unknown_event_type",
            f"type is {payload.type!r}; expected one of: {', '.join(TYPES)}; send only these",
        )
    event = kept(payload)
    if not event.customer:
        raise FailJob("no_customer", "data.object.customer is empty; expected a customer's id; send the whole event")
    async with context.transaction() as connection:
        payer = await billing.lock_payer(connection, event.customer, user_in(payload))
        if payer is None:
            raise RetryJob(
                "unknown_customer",
                f"no user has the customer {event.customer!r}; expected it in user_billing.stripe_customer_id, or the "
                "user's id as userId in the metadata of data.object; link them, then retry the job",
                UNKNOWN_WAIT,
            )
        return await context.completing(connection, await apply(connection, payer, event))


async def apply(connection: AsyncConnection[Any], payer: billing.Payer, event: BillingEvent) -> dict[str, Any]:
    """Write what the event changes for its user, whose row is locked; give what was done."""
    stored = await billing.received_events(connection, event.customer)
    known = [msgspec.convert(data, BillingEvent) for data, about in stored if about["applied"]]
    trial_before = stored[0][1]["trial_before"] if stored else payer.trial_status
    plans = await billing.plans_by_price(connection)
    keys = {price: plan.plan_key for price, plan in plans.items()}
    before, after = fold(known, keys, trial_before), fold([*known, event], keys, trial_before)
    late = _told_elsewhere(payer, after)
    key = f"{billing.SOURCE}_{event.id}_{billing.RECEIVED}"
    about = {"trial_before": trial_before, "applied": not late}
    if not await billing.receive_event(connection, event.customer, key, msgspec.to_builtins(event), about):
        return {"applied": False, "reason": "already_applied"}
    if late:
        return {"applied": False, "reason": "older_than_last_webhook"}
    changes = changes_of(before, after)
    result: dict[str, Any] = {"applied": True}
    if event.price is not None and event.price not in plans:
        log.warning("price_unknown", price=event.price, user=payer.user_id)
        result["unknown_price"] = event.price
    if after.plan is not None and after.plan != before.plan:
        plan = next(plan for plan in plans.values() if plan.plan_key == after.plan)
        changes.setdefault("user_subscriptions", {})["current_plan"] = plan.plan_key
        changes["user_usage"] = {
            "plan_campaigns_limit": plan.campaigns_limit,
            "plan_creators_limit": plan.creators_limit,
            "plan_features": plan.features,
        }
    if payer.customer is None:
        changes.setdefault("user_billing", {})["stripe_customer_id"] = event.customer
    for table, values in changes.items():
        await billing.write_row(connection, table, payer.id, values)
    if event.type == "invoice.payment_succeeded":
        paid_at = datetime.fromtimestamp(event.created, UTC).replace(tzinfo=None)
        result["month_began"] = await billing.begin_month(connection, payer.id, paid_at)
    await _tell(connection, payer, before, after)
    if event.type == "customer.subscription.created" and event.status == "trialing":
        result["onboarding_queued"] = await queue_job(connection, _onboarding(payer, event))
    return result | {"changed": sorted(name for values in changes.values() for name in values)}


def _told_elsewhere(payer: billing.Payer, after: Billing) -> bool:
    """Whether somebody else has applied an event newer than all we know of: then the row is right, and we are late."""
    if payer.newest_webhook is None or after.newest is None:
        return False
    return datetime.fromtimestamp(after.newest, UTC).replace(tzinfo=None) < payer.newest_webhook


def changes_of(before: Billing, after: Billing) -> dict[str, dict[str, Any]]:
    """The columns that the new event changes, by table."""
    changes: dict[str, dict[str, Any]] = {}
    for told in fields(Billing):
        old, new = getattr(before, told.name), getattr(after, told.name)
        if told.name in PLACES and old != new and not (new is None and told.name in FIRST_TOLD):
            table, column = PLACES[told.name]
            changes.setdefault(table, {})[column] = new
    if after.newest != before.newest or after.newest_type != before.newest_type:
        newest = datetime.fromtimestamp(after.newest or 0, UTC).replace(tzinfo=None)
        changes["user_system_data"] = {"last_webhook_event": after.newest_type, "last_webhook_timestamp": newest}
        changes.setdefault("user_subscriptions", {})["billing_sync_status"] = f"webhook_{after.newest_type}"[:50]
    return changes


async def _tell(connection: AsyncConnection[Any], payer: billing.Payer, before: Billing, after: Billing) -> None:
    """Raise what the event made known. What a late event shows to have been otherwise stays told."""
    for told in after.told:
        if told not in before.told:
            await raise_event(
                connection,
                NewEvent(
                    "trial" if told.name.startswith("trial_") else "subscription",
                    payer.user_id,
                    told.name,
                    f"{billing.SOURCE}_{told.by}_{told.name}",
                    {"userId": payer.user_id, "stripeEventId": told.by, "stripeSubscriptionId": after.subscription},
                    billing.SOURCE,
                ),
            )


def _onboarding(payer: billing.Payer, event: BillingEvent) -> FollowUp:
    return FollowUp(
        "complete_onboarding",
        {
            "userId": payer.user_id,
            "stripeSubscriptionId": event.subscription,
            "stripeCustomerId": event.customer,
        },
        key=f"complete_onboarding:{event.subscription}",
        priority=10,
        delay=SETTLES_FIRST,
    )


HANDLERS = (Handler("sync_subscription", StripeEvent, run, retry_base_seconds=10.0, retry_cap_seconds=600.0),)
