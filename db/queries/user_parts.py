"""A user and what hangs on it, a class a table; times are UTC without a zone."""

from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Final
from uuid import UUID


@dataclass(frozen=True, slots=True)
class User:
    """Who somebody is. ``user_id`` is the Clerk id, ``id`` the key of the other tables."""

    id: UUID
    user_id: str
    email: str | None
    full_name: str | None
    business_name: str | None
    brand_description: str | None
    industry: str | None
    onboarding_step: str
    is_admin: bool
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Subscription:
    """Plan, trial and renewal. Times are UTC without a zone, here and below."""

    id: UUID
    current_plan: str
    intended_plan: str | None
    subscription_status: str
    trial_status: str
    trial_start_date: datetime | None
    trial_end_date: datetime | None
    trial_conversion_date: datetime | None
    subscription_cancel_date: datetime | None
    subscription_renewal_date: datetime | None
    billing_sync_status: str


@dataclass(frozen=True, slots=True)
class Billing:
    """What the payment provider calls the user, and what of the card may be shown."""

    id: UUID
    stripe_customer_id: str | None
    stripe_subscription_id: str | None
    payment_method_id: str | None
    card_last_4: str | None
    card_brand: str | None
    card_exp_month: int | None
    card_exp_year: int | None
    billing_address_city: str | None
    billing_address_country: str | None
    billing_address_postal_code: str | None


@dataclass(frozen=True, slots=True)
class Usage:
    """What the plan allows and what of it is used; -1 is no limit."""

    id: UUID
    plan_campaigns_limit: int | None
    plan_creators_limit: int | None
    plan_features: Any
    usage_campaigns_current: int
    usage_creators_current_month: int
    enrichments_current_month: int
    usage_reset_date: datetime


@dataclass(frozen=True, slots=True)
class SystemData:
    """What the application keeps of sign-up, mails and webhooks."""

    id: UUID
    signup_timestamp: datetime
    email_schedule_status: Any
    last_webhook_event: str | None
    last_webhook_timestamp: datetime | None


@dataclass(frozen=True, slots=True)
class Profile:
    """All that is known of a user; a part without a row is None."""

    user: User
    subscription: Subscription | None
    billing: Billing | None
    usage: Usage | None
    system: SystemData | None


PARTS: Final[dict[str, type[Any]]] = {
    "users": User,
    "user_subscriptions": Subscription,
    "user_billing": Billing,
    "user_usage": Usage,
    "user_system_data": SystemData,
}
"""The tables, and what a row of each is here."""

_FIXED: Final = ("id", "user_id", "created_at")
TABLE_OF: Final[dict[str, str]] = {
    field.name: table for table, part in PARTS.items() for field in fields(part) if field.name not in _FIXED
}
"""Which table a field that may be changed belongs to; each name is in one table."""
