"""What each endpoint's answers usually look like, and whether they have drifted."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import AsyncConnection
from psycopg.rows import class_row


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Whose shape it is; another adapter version reads another one."""

    provider: str
    endpoint: str
    adapter_version: int


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of an endpoint's answers: the shape as JSON text, and since when it has drifted."""

    shape: str
    told: str | None
    drifted_at: datetime | None


async def known_shape(connection: AsyncConnection[Any], endpoint: Endpoint) -> Known | None:
    """What is known; None for nothing. No locks. Plan: primary key."""
    return await _known(connection, endpoint, "")


async def lock_shape(connection: AsyncConnection[Any], endpoint: Endpoint) -> Known:
    """The same, made where there is none, and locked until the transaction ends. Plan: primary key."""
    await connection.execute(
        """
        INSERT INTO worker.shapes (provider, endpoint, adapter_version) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING
        """,
        (endpoint.provider, endpoint.endpoint, endpoint.adapter_version),
    )
    known = await _known(connection, endpoint, "FOR NO KEY UPDATE")
    assert known is not None  # noqa: S101 - nobody deletes these rows
    return known


async def keep_shape(connection: AsyncConnection[Any], endpoint: Endpoint, shape: str, told: str | None) -> None:
    """Keep a shape (JSON text) that is in order, which ends a drift. Locks: the row. Plan: primary key."""
    await connection.execute(
        """
        UPDATE worker.shapes
           SET shape = %s::text::jsonb, told = %s, drift = NULL, sample = NULL, drifted_at = NULL,
               looked_at = clock_timestamp()
         WHERE provider = %s AND endpoint = %s AND adapter_version = %s
        """,
        (shape, told, endpoint.provider, endpoint.endpoint, endpoint.adapter_version),
    )


async def keep_drift(connection: AsyncConnection[Any], endpoint: Endpoint, told: str, drift: str, sample: str) -> None:
    """Note that an endpoint has drifted, with the departures as JSON text and an answer that shows them.

    What is usual stays as it was. Locks: the row. Plan: primary key.
    """
    await connection.execute(
        """
        UPDATE worker.shapes
           SET told = %s, drift = %s::text::jsonb, sample = %s, drifted_at = coalesce(drifted_at, clock_timestamp()),
               looked_at = clock_timestamp()
         WHERE provider = %s AND endpoint = %s AND adapter_version = %s
        """,
        (told, drift, sample, endpoint.provider, endpoint.endpoint, endpoint.adapter_version),
    )


async def _known(connection: AsyncConnection[Any], endpoint: Endpoint, lock: str) -> Known | None:
    async with connection.cursor(row_factory=class_row(Known)) as cursor:
        await cursor.execute(
            f"""
            SELECT shape::text, told, drifted_at FROM worker.shapes
             WHERE provider = %s AND endpoint = %s AND adapter_version = %s {lock}
            """.encode(),
            (endpoint.provider, endpoint.endpoint, endpoint.adapter_version),
        )
        return await cursor.fetchone()
