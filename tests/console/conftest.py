"""What tests of the console share."""

from collections.abc import AsyncIterator

import psycopg
import pytest

from db.queries.lanes import NewLane, ensure_lanes
from tests.console.serving import PASSWORD, READ_PASSWORD, Browser, served


@pytest.fixture
async def open_console(database_url: str, redis_url: str) -> AsyncIterator[Browser]:
    """A browser of a console without a password, on loopback."""
    async with served(database_url, redis_url) as browser:
        yield browser


@pytest.fixture
async def guarded(database_url: str, redis_url: str) -> AsyncIterator[Browser]:
    """A browser of a console with both passwords, where nobody is logged in yet."""
    async with served(database_url, redis_url, password=PASSWORD, read_password=READ_PASSWORD) as browser:
        yield browser


@pytest.fixture
def lanes(connection: psycopg.Connection) -> None:
    """Three lanes, of a few places each."""
    ensure_lanes(connection, [NewLane(name, 8, 2) for name in ("scrape.tiktok", "job.noop", "job.export_creators")])


@pytest.fixture
async def alice(database_url: str, redis_url: str, lanes: None) -> AsyncIterator[Browser]:
    """A browser in which an operator is logged in."""
    async with served(database_url, redis_url, password=PASSWORD) as browser:
        await browser.log_in()
        yield browser
