"""What the platform as a whole is set to: plans and configuration."""

from typing import Any

from sqlalchemy import String, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from db.models.base import Base, CreatedAt, Id, Str20, Str50, Str100, UpdatedAt


class SubscriptionPlan(Base):
    """One plan. Prices are in cents; a limit of -1 is none."""

    __tablename__ = "subscription_plans"

    id: Mapped[Id]
    plan_key: Mapped[Str50] = mapped_column(unique=True)
    display_name: Mapped[str]
    description: Mapped[str | None]
    monthly_price: Mapped[int]
    yearly_price: Mapped[int | None]
    stripe_monthly_price_id: Mapped[str]
    stripe_yearly_price_id: Mapped[str | None]
    campaigns_limit: Mapped[int]
    creators_limit: Mapped[int]
    features: Mapped[dict[str, Any] | None] = mapped_column(JSONB, server_default=text("'{}'"))
    is_active: Mapped[bool] = mapped_column(server_default=text("true"))
    sort_order: Mapped[int | None] = mapped_column(server_default=text("0"))
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[UpdatedAt]


class SystemConfiguration(Base):
    """One setting of the platform. ``is_hot_reloadable`` is text, 'true' or 'false', in the application's tables."""

    __tablename__ = "system_configurations"
    __table_args__ = (UniqueConstraint("category", "key", name="system_configurations_category_key_unique"),)

    id: Mapped[Id]
    category: Mapped[Str50]
    key: Mapped[Str100]
    value: Mapped[str]
    value_type: Mapped[Str20]
    description: Mapped[str | None]
    is_hot_reloadable: Mapped[str] = mapped_column(String(5), server_default="true")
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[UpdatedAt]
