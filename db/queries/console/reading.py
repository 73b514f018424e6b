"""How statements of pages are run: each row becomes what the caller names."""

from collections.abc import Mapping
from typing import Any, TypeVar

from psycopg import AsyncConnection
from psycopg.rows import class_row, dict_row

T = TypeVar("T")


async def rows_of(
    connection: AsyncConnection[Any], kind: type[T], statement: str, parameters: Mapping[str, Any] | None = None
) -> list[T]:
    """Every row as ``kind``, whose fields are the columns."""
    async with connection.cursor(row_factory=class_row(kind)) as cursor:
        await cursor.execute(statement.encode(), parameters or {})
        return await cursor.fetchall()


async def plain_rows(
    connection: AsyncConnection[Any], statement: str, parameters: Mapping[str, Any] | None = None
) -> list[dict[str, Any]]:
    """Every row by the names of its columns."""
    async with connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(statement.encode(), parameters or {})
        return await cursor.fetchall()
