"""What tests of the console share."""

from collections.abc import AsyncIterator

import pytest

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
