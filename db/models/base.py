"""The declarative base and the column kinds that the application's tables repeat."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

from sqlalchemy import DateTime, Numeric, String, Text, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.dialects.postgresql import UUID as PG_UUID
from sqlalchemy.orm import DeclarativeBase, mapped_column


class Base(DeclarativeBase):
    """Base of all models of the schema ``public``. Its times are UTC without a zone."""

    type_annotation_map = {str: Text, datetime: DateTime(timezone=False), Decimal: Numeric}  # noqa: RUF012 - SQLAlchemy's own form


now = text("now()")

Id = Annotated[UUID, mapped_column(PG_UUID(as_uuid=True), primary_key=True, server_default=text("gen_random_uuid()"))]
CreatedAt = Annotated[datetime, mapped_column(server_default=now)]
UpdatedAt = Annotated[datetime, mapped_column(server_default=now)]
Json = Annotated[dict[str, Any], mapped_column(JSONB)]
JsonObject = Annotated[dict[str, Any], mapped_column(JSONB, server_default=text("'{}'"))]
Str4 = Annotated[str, mapped_column(String(4))]
Str20 = Annotated[str, mapped_column(String(20))]
Str50 = Annotated[str, mapped_column(String(50))]
Str100 = Annotated[str, mapped_column(String(100))]
