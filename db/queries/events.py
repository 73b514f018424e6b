"""Events for the application, in its own table; each is there once, however often it is told."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, LiteralString

from psycopg import AsyncConnection

from db.session import storable

SOURCE: Final = "trawler"

TOLD_OF_JOB: Final[LiteralString] = """
    jsonb_build_object('userId', j.user_id, 'campaignId', j.campaign_id, 'platform', j.platform,
                       'creators', j.processed_results, 'target', j.target_results, 'error', j.error) AS told
"""
"""What the event of a scraping job's end says of its row ``j``."""


@dataclass(frozen=True, slots=True)
class NewEvent:
    """One thing that happened. Two with the same ``key`` are the same event, and the first stays.

    An event that the application raises too names its ``source`` as the application does, and its key is written as it
    is, so that it is there once whoever raised it first.
    """

    aggregate_type: str
    aggregate_id: str
    event_type: str
    key: str
    data: Mapping[str, Any]
    source: str = SOURCE


_RAISE: Final[LiteralString] = """
    INSERT INTO public.events (aggregate_id, aggregate_type, event_type, event_data, timestamp, idempotency_key,
                               source_system, correlation_id)
    SELECT w.aggregate_id, w.aggregate_type, w.event_type, w.data, worker.utc_now(), w.key, w.source, w.aggregate_id
      FROM jsonb_to_recordset(%s::text::jsonb) AS w (
           aggregate_id text, aggregate_type text, event_type text, data jsonb, key text, source text)
    ON CONFLICT (idempotency_key) DO NOTHING
"""


async def raise_event(connection: AsyncConnection[Any], event: NewEvent) -> bool:
    """Write an event; give whether it is new. Locks: none. Plan: the unique index of ``idempotency_key``."""
    return await raise_events(connection, [event]) > 0


async def raise_events(connection: AsyncConnection[Any], events: Sequence[NewEvent]) -> int:
    """Write many events in one statement; give how many are new. Locks and plan: as `raise_event`."""
    cursor = await connection.execute(_RAISE, (json.dumps([_row(event) for event in events]),))
    return cursor.rowcount


def _row(event: NewEvent) -> dict[str, Any]:
    return {
        "aggregate_id": event.aggregate_id,
        "aggregate_type": event.aggregate_type,
        "event_type": event.event_type,
        "data": {name: storable(told) if isinstance(told, str) else told for name, told in event.data.items()},
        "key": f"{SOURCE}:{event.key}" if event.source == SOURCE else event.key,
        "source": event.source,
    }
