"""What the engine's tests share."""

from collections.abc import AsyncIterator

import psycopg
import pytest

from db.session import Pool, make_pool
from tests.integration.engine.steps import make_lanes


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[Pool]:
    """The pool of a worker, on the test's own database."""
    pool = make_pool(database_url, "test pool", 4)
    await pool.open()
    yield pool
    await pool.close()


@pytest.fixture
def lanes(connection: psycopg.Connection) -> None:
    """The lanes that the tests' jobs go to."""
    make_lanes(connection)
