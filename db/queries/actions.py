"""What operators did, as events ``admin_action`` of the application's table."""

from collections.abc import Mapping
from typing import Any, Final

from psycopg import Connection
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

ADMIN_ACTION: Final = "admin_action"
AGGREGATE: Final = "operation"
"""``aggregate_type`` of these events; ``aggregate_id`` is the action's name, so that an index finds its newest."""


def note_action(connection: Connection, action: str, key: str, data: Mapping[str, Any]) -> None:
    """Write that an operator did something, once a key. A table of events that refuses it holds up nothing.

    Locks: none. Plan: the unique index of ``idempotency_key``.
    """
    connection.execute(
        "SELECT worker.tell('trawler:admin_action:' || %s::text, %s, %s, %s, %s)",
        (key, ADMIN_ACTION, AGGREGATE, action, Jsonb(data)),
    )


def last_batch(connection: Connection, action: str) -> str | None:
    """The newest batch of an action that was not undone; None when there is none. Plan: the index of aggregates."""
    row = connection.execute(
        """
        SELECT e.event_data ->> 'batch'
          FROM public.events e
         WHERE e.aggregate_id = %(action)s AND e.aggregate_type = %(aggregate)s
           AND NOT EXISTS (SELECT FROM public.events u
                            WHERE u.aggregate_id = 'undo' AND u.aggregate_type = %(aggregate)s
                              AND u.event_data ->> 'batch' = e.event_data ->> 'batch')
         ORDER BY e.timestamp DESC LIMIT 1
        """,
        {"action": action, "aggregate": AGGREGATE},
    ).fetchone()
    return row[0] if row else None


def parts_of(connection: Connection, action: str, batch: str) -> list[dict[str, Any]]:
    """What was noted of a batch, part by part. Plan: the index of aggregates, newest first."""
    with connection.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(
            """
            SELECT e.event_data AS data
              FROM public.events e
             WHERE e.aggregate_id = %(action)s AND e.aggregate_type = %(aggregate)s
               AND e.event_data ->> 'batch' = %(batch)s
             ORDER BY e.timestamp
            """,
            {"action": action, "aggregate": AGGREGATE, "batch": batch},
        ).fetchall()
    return [row["data"] for row in rows]
