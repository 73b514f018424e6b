"""One webhook event of the payment provider as it is kept, and the words that it is told in."""

from typing import Final

import msgspec

STATUSES: Final = {
    "trialing": "trialing",
    "active": "active",
    "past_due": "past_due",
    "unpaid": "past_due",
    "paused": "past_due",
    "canceled": "canceled",
    "incomplete_expired": "canceled",
    "incomplete": "none",
}
"""Stripe's subscription status to the application's ``subscription_status``."""

LIVE: Final = {"trialing", "active", "past_due"}
_RANKS: Final = {
    "customer.subscription.created": 0,
    "customer.subscription.updated": 1,
    "invoice.payment_failed": 2,
    "invoice.payment_succeeded": 3,
    "customer.subscription.deleted": 4,
}
"""The known event types, and the order of those that were made in the same second."""

TYPES: Final = tuple(_RANKS)

NAMES: Final = {
    "customer.subscription.created": "subscription_created",
    "customer.subscription.updated": "subscription_updated",
    "customer.subscription.deleted": "subscription_deleted",
    "invoice.payment_failed": "payment_failed",
    "invoice.payment_succeeded": "payment_succeeded",
}
"""Stripe's event type to the application's."""


class BillingEvent(msgspec.Struct, frozen=True):
    """What is kept of one webhook event. Times are Unix seconds, as Stripe sends them."""

    id: str
    type: str
    created: int
    customer: str
    subscription: str | None = None
    status: str | None = None
    price: str | None = None
    trial_start: int | None = None
    trial_end: int | None = None
    renews: int | None = None
    cancelled: int | None = None

    @property
    def place(self) -> tuple[int, int, str]:
        """Where it stands among the customer's events."""
        return self.created, _RANKS.get(self.type, 0), self.id
