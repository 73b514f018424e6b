"""Pending rows of ``events``: taken in order for each aggregate, and told how they ended."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import class_row

from db.queries.events import SOURCE
from db.session import storable

MOST_TRIES: Final = 5
"""How often an event is tried before it is ``failed``."""


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """One pending event. ``blocked`` says that an earlier one of its aggregate is pending in other hands."""

    id: UUID
    aggregate_type: str
    aggregate_id: str
    event_type: str
    event_data: Any
    idempotency_key: str
    retry_count: int
    happened: datetime
    """UTC without a zone."""
    age: timedelta
    """How long ago that was, by the database's clock."""
    blocked: bool

    @property
    def aggregate(self) -> tuple[str, str]:
        """Whose events are handled one after the other."""
        return self.aggregate_type, self.aggregate_id


async def pending_events(
    connection: AsyncConnection[Any], event_types: Sequence[str], batch: int, passed: Sequence[tuple[str, str]]
) -> list[StoredEvent]:
    """Lock the oldest pending events of these types, save those of the aggregates ``passed``; give them in their order.

    Those of other types are other readers' and block nothing. One that another holds is left out, and those after it
    come ``blocked``: seen by the same snapshot, an event that is just being handled is still pending. What is
    ``processing`` is somebody else's and blocks nothing. Locks: the events, skipping locked ones. Plan: the partial
    index of pending events, read past those of other types, then one probe an event.
    """
    async with connection.cursor(row_factory=class_row(StoredEvent)) as cursor:
        await cursor.execute(
            """
            WITH picked AS MATERIALIZED (
                SELECT e.id, e.aggregate_type, e.aggregate_id, e.event_type, e.event_data, e.idempotency_key,
                       e.retry_count, e.timestamp
                  FROM public.events e
                 WHERE e.processing_status = 'pending' AND e.event_type = ANY (%(handled)s)
                   AND NOT EXISTS (SELECT FROM unnest(%(types)s::text[], %(ids)s::text[]) AS p (type, id)
                                    WHERE p.type = e.aggregate_type AND p.id = e.aggregate_id)
                 ORDER BY e.timestamp, e.id LIMIT %(batch)s FOR UPDATE OF e SKIP LOCKED)
            SELECT p.id, p.aggregate_type, p.aggregate_id, p.event_type, p.event_data, p.idempotency_key, p.retry_count,
                   p.timestamp AS happened, worker.utc_now() - p.timestamp AS age,
                   EXISTS (SELECT FROM public.events b
                            WHERE b.aggregate_id = p.aggregate_id AND b.aggregate_type = p.aggregate_type
                              AND b.processing_status = 'pending' AND b.event_type = ANY (%(handled)s)
                              AND (b.timestamp, b.id) < (p.timestamp, p.id)
                              AND b.id NOT IN (SELECT q.id FROM picked q)) AS blocked
              FROM picked p ORDER BY p.timestamp, p.id
            """,
            {
                "handled": list(event_types),
                "batch": batch,
                "types": [kind for kind, _ in passed],
                "ids": [one for _, one in passed],
            },
        )
        return await cursor.fetchall()


async def close_own_events(connection: AsyncConnection[Any], event_types: Sequence[str], batch: int) -> int:
    """Say of up to ``batch`` pending events of Trawler's own that nothing follows, unless they are of these types.

    Gives how many. Locks: the events, skipping locked ones. Plan: the partial index of pending events.
    """
    cursor = await connection.execute(
        """
        WITH picked AS MATERIALIZED (
            SELECT e.id FROM public.events e
             WHERE e.processing_status = 'pending' AND e.source_system = %(own)s
               AND e.event_type <> ALL (%(handled)s)
             ORDER BY e.timestamp LIMIT %(batch)s FOR UPDATE OF e SKIP LOCKED)
        UPDATE public.events e SET processing_status = 'completed', processed_at = worker.utc_now()
          FROM picked p WHERE e.id = p.id
        """,
        {"own": SOURCE, "handled": list(event_types), "batch": batch},
    )
    return cursor.rowcount


async def complete_event(connection: AsyncConnection[Any], event: StoredEvent) -> None:
    """Say that an event was handled. Locks: its row, held already. Plan: primary key."""
    await connection.execute(
        "UPDATE public.events SET processing_status = 'completed', processed_at = worker.utc_now(), error = NULL"
        " WHERE id = %s",
        (event.id,),
    )


async def put_event_back(connection: AsyncConnection[Any], event: StoredEvent, error: str) -> bool:
    """Say that an event could not be handled; give whether that was its last try, so that it is ``failed``.

    Locks: its row, held already. Plan: primary key.
    """
    last = event.retry_count + 1 >= MOST_TRIES
    await connection.execute(
        """
        UPDATE public.events
           SET retry_count = retry_count + 1, error = left(%s, 4000),
               processing_status = CASE WHEN %s THEN 'failed' ELSE 'pending' END,
               processed_at = CASE WHEN %s THEN worker.utc_now() END
         WHERE id = %s
        """,
        (storable(error), last, last, event.id),
    )
    return last
