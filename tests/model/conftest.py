"""What the models share."""

from collections.abc import Iterator

import pytest

from tests.model.world import World


@pytest.fixture
def world(database_url: str) -> Iterator[World]:
    """The engine's statements on a database that this test alone uses."""
    world = World(database_url)
    yield world
    world.close()
