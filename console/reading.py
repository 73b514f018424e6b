"""How routes reach the database: the pool for what is awaited, a connection of its own for what blocks."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from fastapi import Request
from psycopg import AsyncConnection, Connection
from starlette.concurrency import run_in_threadpool

from db.session import connect

T = TypeVar("T")
LONGEST = "5s"
"""No page waits longer for one statement."""


@asynccontextmanager
async def reading(request: Request) -> AsyncIterator[AsyncConnection[Any]]:
    """A connection in a transaction that reads, whose statements may not take longer than `LONGEST`."""
    async with request.app.state.pool.connection() as connection, connection.transaction():
        # In the transaction alone, so that it holds through a transaction pooler too.
        await connection.execute(f"SET LOCAL statement_timeout = '{LONGEST}'; SET LOCAL jit = off".encode())
        yield connection


async def blocking(request: Request, work: Callable[..., T], *arguments: Any, **named: Any) -> T:
    """What ``work`` gives on a connection of its own, in autocommit, in a thread."""

    def with_connection() -> T:
        with connect(request.app.state.database_url, "trawler console") as connection:
            return _work(connection)

    def _work(connection: Connection) -> T:
        return work(connection, *arguments, **named)

    return await run_in_threadpool(with_connection)
