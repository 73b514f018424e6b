"""The shape of Stripe's webhook events, as far as it is read.

A field that Stripe may expand holds an id or the whole object. Newer API versions put an invoice's subscription under
``parent``, and a subscription's period under its items; both places are read (Stripe's API reference, "Subscription"
and "Invoice").
"""

from typing import Any, TypeAlias

import msgspec

from actors.handlers.billing_event import BillingEvent

Reference: TypeAlias = str | dict[str, Any] | None


class Item(msgspec.Struct):
    """One thing that is subscribed to."""

    price: Reference = None
    plan: Reference = None
    current_period_end: int | None = None


class Items(msgspec.Struct):
    """The list of them."""

    data: list[Item] = []


class SubscriptionDetails(msgspec.Struct):
    """Where newer invoices name their subscription."""

    subscription: Reference = None


class Parent(msgspec.Struct):
    """What an invoice was made for."""

    subscription_details: SubscriptionDetails | None = None


class Subject(msgspec.Struct):
    """``data.object``: a subscription or an invoice."""

    customer: Reference
    id: str | None = None
    status: str | None = None
    subscription: Reference = None
    parent: Parent | None = None
    items: Items | None = None
    plan: Reference = None
    trial_start: int | None = None
    trial_end: int | None = None
    current_period_end: int | None = None
    cancel_at: int | None = None
    canceled_at: int | None = None
    ended_at: int | None = None
    metadata: dict[str, Any] | None = None


class Data(msgspec.Struct):
    """What an event is about."""

    object: Subject


class StripeEvent(msgspec.Struct):
    """One webhook event; ``created`` is in Unix seconds."""

    id: str
    type: str
    created: int
    data: Data


def kept(event: StripeEvent) -> BillingEvent:
    """What is kept of an event: no name, no card, no address."""
    about = event.data.object
    customer = id_of(about.customer) or ""
    if event.type.startswith("invoice."):
        parent = about.parent and about.parent.subscription_details
        subscription = id_of(about.subscription) or id_of(parent.subscription if parent else None)
        return BillingEvent(event.id, event.type, event.created, customer, subscription)
    item = next(iter(about.items.data if about.items else ()), Item())
    return BillingEvent(
        id=event.id,
        type=event.type,
        created=event.created,
        customer=customer,
        subscription=about.id,
        status=about.status,
        price=id_of(item.price) or id_of(item.plan) or id_of(about.plan),
        trial_start=about.trial_start,
        trial_end=about.trial_end,
        renews=about.current_period_end or item.current_period_end,
        cancelled=about.ended_at or about.cancel_at or about.canceled_at,
    )


def id_of(value: Reference) -> str | None:
    """The id in a field that may hold the whole object instead."""
    found = value.get("id") if isinstance(value, dict) else value
    return found if isinstance(found, str) and found else None


def user_in(event: StripeEvent) -> str | None:
    """The application's user id, where the checkout put it into the object's metadata."""
    metadata = event.data.object.metadata or {}
    found = metadata.get("userId") or metadata.get("user_id")
    return found if isinstance(found, str) and found else None
