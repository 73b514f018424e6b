"""A user and the four tables that hang on it."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from db.models.base import Base, CreatedAt, Id, JsonObject, Str4, Str20, Str50, Str100, UpdatedAt, now


class User(Base):
    """Who somebody is. ``user_id`` is the Clerk id, ``id`` the key of the other tables."""

    __tablename__ = "users"
    __table_args__ = (
        Index("idx_users_email", "email"),
        Index("idx_users_onboarding", "onboarding_step"),
        Index("idx_users_admin", "is_admin", postgresql_where=text("is_admin = true")),
    )

    id: Mapped[Id]
    user_id: Mapped[str] = mapped_column(unique=True)
    email: Mapped[str | None]
    full_name: Mapped[str | None]
    business_name: Mapped[str | None]
    brand_description: Mapped[str | None]
    industry: Mapped[str | None]
    onboarding_step: Mapped[Str50] = mapped_column(server_default="pending")
    is_admin: Mapped[bool] = mapped_column(server_default=text("false"))
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[UpdatedAt]


def _user_key() -> Mapped[UUID]:
    return mapped_column(ForeignKey("users.id", ondelete="CASCADE"))


class UserSubscription(Base):
    """Plan, trial and renewal of a user."""

    __tablename__ = "user_subscriptions"
    __table_args__ = (
        Index("idx_user_subscriptions_user_id", "user_id"),
        Index("idx_user_subscriptions_current_plan", "current_plan"),
        Index(
            "idx_user_subscriptions_active_trials",
            "trial_status",
            "trial_start_date",
            "trial_end_date",
            postgresql_where=text("trial_status <> 'pending'"),
        ),
    )

    id: Mapped[Id]
    user_id: Mapped[UUID] = _user_key()
    current_plan: Mapped[Str50] = mapped_column(server_default="free")
    intended_plan: Mapped[Str50 | None]
    subscription_status: Mapped[Str20] = mapped_column(server_default="none")
    trial_status: Mapped[Str20] = mapped_column(server_default="pending")
    trial_start_date: Mapped[datetime | None]
    trial_end_date: Mapped[datetime | None]
    trial_conversion_date: Mapped[datetime | None]
    subscription_cancel_date: Mapped[datetime | None]
    subscription_renewal_date: Mapped[datetime | None]
    billing_sync_status: Mapped[Str50] = mapped_column(server_default="pending")
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[UpdatedAt]


class UserBilling(Base):
    """Stripe's ids and the card's face of a user."""

    __tablename__ = "user_billing"
    __table_args__ = (
        Index("idx_user_billing_user_id", "user_id"),
        Index("idx_user_billing_stripe_subscription", "stripe_subscription_id"),
    )

    id: Mapped[Id]
    user_id: Mapped[UUID] = _user_key()
    stripe_customer_id: Mapped[str | None] = mapped_column(unique=True)
    stripe_subscription_id: Mapped[str | None]
    payment_method_id: Mapped[str | None]
    card_last_4: Mapped[Str4 | None]
    card_brand: Mapped[Str20 | None]
    card_exp_month: Mapped[int | None]
    card_exp_year: Mapped[int | None]
    billing_address_city: Mapped[str | None]
    billing_address_country: Mapped[str | None] = mapped_column(String(2))
    billing_address_postal_code: Mapped[Str20 | None]
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[UpdatedAt]


class UserUsage(Base):
    """Limits and use of a user's plan; a limit of -1 is none."""

    __tablename__ = "user_usage"
    __table_args__ = (
        Index("idx_user_usage_user_id", "user_id"),
        Index("idx_user_usage_reset_date", "usage_reset_date"),
    )

    id: Mapped[Id]
    user_id: Mapped[UUID] = _user_key()
    plan_campaigns_limit: Mapped[int | None]
    plan_creators_limit: Mapped[int | None]
    plan_features: Mapped[JsonObject]
    usage_campaigns_current: Mapped[int] = mapped_column(server_default=text("0"))
    usage_creators_current_month: Mapped[int] = mapped_column(server_default=text("0"))
    enrichments_current_month: Mapped[int] = mapped_column(server_default=text("0"))
    usage_reset_date: Mapped[datetime] = mapped_column(server_default=now)
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[UpdatedAt]


class UserSystemData(Base):
    """Mail schedule and webhook marks of a user."""

    __tablename__ = "user_system_data"
    __table_args__ = (Index("idx_user_system_data_user_id", "user_id"),)

    id: Mapped[Id]
    user_id: Mapped[UUID] = _user_key()
    signup_timestamp: Mapped[datetime] = mapped_column(server_default=now)
    email_schedule_status: Mapped[JsonObject]
    last_webhook_event: Mapped[Str100 | None]
    last_webhook_timestamp: Mapped[datetime | None]
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[UpdatedAt]
