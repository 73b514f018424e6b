"""The application's table of configurations: what is read of it, and how a value is put there."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from psycopg import AsyncConnection, Connection
from psycopg.rows import class_row


@dataclass(frozen=True, slots=True)
class StoredValue:
    """One row, as text; ``name`` is category and key with a dot between."""

    name: str
    value: str
    hot: bool
    """Whether a change counts without a restart; the column holds the texts ``true`` and ``false``."""


_STORED = """
    SELECT category || '.' || key AS name, value, is_hot_reloadable <> 'false' AS hot
      FROM public.system_configurations WHERE category || '.' || key = ANY (%s)
"""


async def load_values(connection: AsyncConnection[Any], names: Sequence[str]) -> list[StoredValue]:
    """The rows of these names; those without a row are missing. No locks. Plan: a scan of a table of dozens."""
    async with connection.cursor(row_factory=class_row(StoredValue)) as cursor:
        await cursor.execute(_STORED, (list(names),))
        return await cursor.fetchall()


def read_values(connection: Connection, names: Sequence[str]) -> list[StoredValue]:
    """As `load_values`, for commands."""
    with connection.cursor(row_factory=class_row(StoredValue)) as cursor:
        return cursor.execute(_STORED, (list(names),)).fetchall()


def put_value(connection: Connection, category: str, key: str, value: str, value_type: str, description: str) -> None:
    """Insert or change one row; what a row says of reloading and its description stays. Locks: the row."""
    connection.execute(
        """
        INSERT INTO public.system_configurations (category, key, value, value_type, description, created_at, updated_at)
        VALUES (%s, %s, %s, %s, %s, worker.utc_now(), worker.utc_now())
        ON CONFLICT (category, key) DO UPDATE
           SET value = excluded.value, value_type = excluded.value_type, updated_at = excluded.updated_at
        """,
        (category, key, value, value_type, description),
    )
