"""The alternative job tables: one row a creator instead of a batch a page."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, String, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from db.models.base import Base, CreatedAt, Id, Str20, UpdatedAt


class SearchJob(Base):
    """One search whose results are rows."""

    __tablename__ = "search_jobs"

    id: Mapped[str] = mapped_column(primary_key=True)
    campaign_id: Mapped[UUID | None] = mapped_column(ForeignKey("campaigns.id"))
    platform: Mapped[Str20]
    search_type: Mapped[Str20]
    status: Mapped[Str20] = mapped_column(server_default="queued")
    total_count: Mapped[int]
    completed_count: Mapped[int] = mapped_column(server_default=text("0"))
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[UpdatedAt]
    completed_at: Mapped[datetime | None]


class SearchResult(Base):
    """One creator of a search."""

    __tablename__ = "search_results"

    id: Mapped[Id]
    job_id: Mapped[str] = mapped_column(ForeignKey("search_jobs.id"))
    profile_id: Mapped[str]
    username: Mapped[str]
    display_name: Mapped[str | None]
    platform: Mapped[Str20]
    profile_url: Mapped[str | None]
    post_url: Mapped[str | None]
    post_description: Mapped[str | None]
    avatar_url: Mapped[str | None]
    followers: Mapped[int | None] = mapped_column(server_default=text("0"))
    is_verified: Mapped[str | None] = mapped_column(String(10), server_default="false")
    email: Mapped[str | None]
    bio: Mapped[str | None]
    raw_data: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    created_at: Mapped[CreatedAt]
