"""What the routes of one process share; it lives as long as the application that includes them."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from functools import cached_property
from typing import Any, Final

from fastapi import FastAPI, Request
from psycopg import AsyncConnection, Connection

from actors.handlers import load_handlers
from actors.handlers.contract import Handler
from console.api.progress.hub import Hub
from db.session import ThreadPool, make_thread_pool
from worker.api_settings import ApiSettings, ApiToken, load_api_settings
from worker.settings import Settings

HOST: Final = "trawler.host"
"""Under what name a request's scope has the application that the API is mounted in."""
APPLICATION_NAME: Final = "trawler api"
STREAM_NAME: Final = "trawler api stream"
STREAMS: Final = 4
"""Streams of results at once; each has a connection of its own."""
THREADS: Final = 8
"""Connections for what is done in threads: putting jobs in, explaining, cancelling, retrying."""
WAIT_SECONDS: Final = 5.0
"""Longest wait for a connection, after which the answer is 503."""


class Services:
    """Made from ``app.state``: ``settings``, ``database_url``, ``pool``, and ``api_settings`` where there are some."""

    def __init__(self, host: FastAPI) -> None:
        self._host = host
        given: ApiSettings | None = getattr(host.state, "api_settings", None)
        self.tokens: tuple[ApiToken, ...] = (given or load_api_settings()).tokens
        self.hub = Hub(self.reading)
        self.streams = asyncio.Semaphore(STREAMS)
        self._threads: ThreadPool = make_thread_pool(self.database_url, APPLICATION_NAME, THREADS)

    @property
    def settings(self) -> Settings:
        """Those of the process."""
        settings: Settings = self._host.state.settings
        return settings

    @property
    def database_url(self) -> str:
        """Where Postgres is."""
        return str(self._host.state.database_url)

    @cached_property
    def handlers(self) -> Mapping[str, Handler]:
        """Handlers of background jobs, by job type, as this process's settings name them."""
        return load_handlers(self.settings.handlers)

    @contextmanager
    def working(self) -> Iterator[Connection]:
        """A connection for a thread, in autocommit. Raises `psycopg_pool.PoolTimeout` when there is none to be had."""
        # Opened where it is first used, so that an application that serves pages alone holds no threads for it.
        self._threads.open()
        with self._threads.connection(WAIT_SECONDS) as connection:
            yield connection

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection[Any]]:
        """A connection of the application's pool. Raises `psycopg_pool.PoolTimeout` when there is none to be had."""
        async with self._host.state.pool.connection(timeout=WAIT_SECONDS) as connection:
            yield connection

    async def close(self) -> None:
        """End what runs in the background."""
        await self.hub.close()
        self._threads.close()


def services_of(host: FastAPI) -> Services:
    """The services of an application, made when first asked for."""
    found: Services | None = getattr(host.state, "api_services", None)
    if found is None:
        found = host.state.api_services = Services(host)
    return found


def services(request: Request) -> Services:
    """The services that a route uses."""
    return services_of(request.scope[HOST])


@asynccontextmanager
async def closing(host: FastAPI) -> AsyncIterator[None]:
    """Life of the services: wrong settings end the start, and what was opened is closed at the end."""
    made = services_of(host)
    try:
        yield
    finally:
        await made.close()
        host.state.api_services = None
