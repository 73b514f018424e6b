"""What tests of the parts of a worker share."""

from collections.abc import AsyncIterator

import pytest

from db.session import Pool, make_pool


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[Pool]:
    """The pool of a worker, on the test's own database."""
    pool = make_pool(database_url, "test pool", 4)
    await pool.open()
    yield pool
    await pool.close()
