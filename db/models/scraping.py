"""Campaigns, scraping jobs and their results."""

from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Index, String, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from db.models.base import Base, CreatedAt, Id, Str20, UpdatedAt


class Campaign(Base):
    """One search project of a user."""

    __tablename__ = "campaigns"
    __table_args__ = (Index("idx_campaigns_user_id", "user_id"),)

    id: Mapped[Id]
    user_id: Mapped[str]
    name: Mapped[str]
    description: Mapped[str | None]
    search_type: Mapped[Str20]
    status: Mapped[Str20] = mapped_column(server_default="draft")
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[UpdatedAt]


class ScrapingJob(Base):
    """One search: what to look for, how far it is. ``cursor`` is for display; the true one is the engine's."""

    __tablename__ = "scraping_jobs"
    __table_args__ = (
        Index("idx_scraping_jobs_status_created", "status", text("created_at DESC")),
        Index("idx_scraping_jobs_platform", "platform"),
        Index("idx_scraping_jobs_user_campaign", "user_id", "campaign_id"),
    )

    id: Mapped[Id]
    user_id: Mapped[str]
    run_id: Mapped[str | None]
    status: Mapped[Str20] = mapped_column(server_default="pending")
    keywords: Mapped[list[str] | None] = mapped_column(JSONB)
    platform: Mapped[str] = mapped_column(String(50), server_default="Tiktok")
    region: Mapped[str] = mapped_column(String(10), server_default="US")
    campaign_id: Mapped[UUID | None] = mapped_column(ForeignKey("campaigns.id"))
    target_username: Mapped[str | None]
    search_params: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    qstash_message_id: Mapped[str | None]
    processed_runs: Mapped[int] = mapped_column(server_default=text("0"))
    processed_results: Mapped[int] = mapped_column(server_default=text("0"))
    target_results: Mapped[int] = mapped_column(server_default=text("1000"))
    cursor: Mapped[int | None] = mapped_column(server_default=text("0"))
    progress: Mapped[Decimal | None] = mapped_column(server_default="0")
    created_at: Mapped[CreatedAt]
    started_at: Mapped[datetime | None]
    completed_at: Mapped[datetime | None]
    timeout_at: Mapped[datetime | None]
    updated_at: Mapped[UpdatedAt]
    error: Mapped[str | None]


class ScrapingResult(Base):
    """One batch of creators: those that one page added to a job."""

    __tablename__ = "scraping_results"
    __table_args__ = (
        Index("idx_scraping_results_job_id", "job_id"),
        Index("idx_scraping_results_created_at", "created_at"),
    )

    id: Mapped[Id]
    job_id: Mapped[UUID | None] = mapped_column(ForeignKey("scraping_jobs.id"))
    creators: Mapped[list[dict[str, Any]]] = mapped_column(JSONB)
    created_at: Mapped[CreatedAt]
