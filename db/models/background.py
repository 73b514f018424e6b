"""Background jobs and events."""

from datetime import datetime

from sqlalchemy import Index, text
from sqlalchemy.orm import Mapped, mapped_column

from db.models.base import Base, CreatedAt, Id, Json, Str20, Str50, Str100, UpdatedAt, now


class BackgroundJob(Base):
    """One piece of work that is not a search. A lower ``priority`` is sooner."""

    __tablename__ = "background_jobs"
    __table_args__ = (
        Index(
            "idx_background_jobs_pending",
            "status",
            "priority",
            "scheduled_for",
            postgresql_where=text("status = 'pending'"),
        ),
    )

    id: Mapped[Id]
    job_type: Mapped[Str100]
    payload: Mapped[Json]
    status: Mapped[Str20] = mapped_column(server_default="pending")
    qstash_message_id: Mapped[str | None]
    priority: Mapped[int] = mapped_column(server_default=text("100"))
    max_retries: Mapped[int] = mapped_column(server_default=text("3"))
    retry_count: Mapped[int] = mapped_column(server_default=text("0"))
    scheduled_for: Mapped[datetime] = mapped_column(server_default=now)
    started_at: Mapped[datetime | None]
    completed_at: Mapped[datetime | None]
    failed_at: Mapped[datetime | None]
    error: Mapped[str | None]
    result: Mapped[Json | None]
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[UpdatedAt]


class Event(Base):
    """One thing that happened; ``idempotency_key`` makes a repeat harmless."""

    __tablename__ = "events"
    __table_args__ = (
        Index("idx_events_aggregate_type_timestamp", "aggregate_id", "aggregate_type", text("timestamp DESC")),
        Index(
            "idx_events_processing_pending",
            "processing_status",
            "timestamp",
            postgresql_where=text("processing_status = 'pending'"),
        ),
    )

    id: Mapped[Id]
    aggregate_id: Mapped[str]
    aggregate_type: Mapped[Str50]
    event_type: Mapped[Str100]
    event_version: Mapped[int] = mapped_column(server_default=text("1"))
    event_data: Mapped[Json]
    event_metadata: Mapped[Json | None] = mapped_column("metadata")
    timestamp: Mapped[datetime] = mapped_column(server_default=now)
    processed_at: Mapped[datetime | None]
    processing_status: Mapped[Str20] = mapped_column(server_default="pending")
    retry_count: Mapped[int] = mapped_column(server_default=text("0"))
    error: Mapped[str | None]
    idempotency_key: Mapped[str] = mapped_column(unique=True)
    source_system: Mapped[Str50]
    correlation_id: Mapped[str | None]
    causation_id: Mapped[str | None]
