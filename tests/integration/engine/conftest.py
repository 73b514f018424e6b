"""What the engine's tests share."""

import psycopg
import pytest

from tests.integration.engine.steps import make_lanes


@pytest.fixture
def lanes(connection: psycopg.Connection) -> None:
    """The lanes that the tests' jobs go to."""
    make_lanes(connection)
