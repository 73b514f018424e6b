"""Events for the application, in its own table; each is there once, however often it is told."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from psycopg import AsyncConnection

from db.session import storable

SOURCE: Final = "trawler"


@dataclass(frozen=True, slots=True)
class NewEvent:
    """One thing that happened. Two with the same ``key`` are the same event, and the first stays."""

    aggregate_type: str
    aggregate_id: str
    event_type: str
    key: str
    data: Mapping[str, Any]


async def raise_event(connection: AsyncConnection[Any], event: NewEvent) -> bool:
    """Write an event; give whether it is new. Locks: none. Plan: the unique index of ``idempotency_key``."""
    cursor = await connection.execute(
        """
        INSERT INTO public.events (aggregate_id, aggregate_type, event_type, event_data, timestamp, idempotency_key,
                                   source_system, correlation_id)
        VALUES (%s, %s, %s, %s::text::jsonb, worker.utc_now(), %s, %s, %s)
        ON CONFLICT (idempotency_key) DO NOTHING
        """,
        (
            event.aggregate_id,
            event.aggregate_type,
            event.event_type,
            json.dumps({name: storable(told) if isinstance(told, str) else told for name, told in event.data.items()}),
            f"{SOURCE}:{event.key}",
            SOURCE,
            event.aggregate_id,
        ),
    )
    return cursor.rowcount > 0
