"""Answers as JSON, written from rows: JSON columns pass through as the text they are, times are UTC."""

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec
from starlette.responses import Response

from db.queries.api_jobs import JSON_COLUMNS


def reply(content: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A response with this content."""
    body = msgspec.json.encode(content, enc_hook=_other)
    return Response(body, status, dict(headers or {}), "application/json")


def shown(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row for `reply`: JSON text as JSON, times without a zone as UTC."""
    return {name: _value(name, value) for name, value in row.items()}


def _value(name: str, value: Any) -> Any:
    if isinstance(value, datetime):
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).astimezone(UTC)
    if name in JSON_COLUMNS and isinstance(value, str):
        return msgspec.Raw(value.encode())
    return value


def _other(value: Any) -> Any:
    if isinstance(value, Decimal):
        return float(value)
    return str(value)
