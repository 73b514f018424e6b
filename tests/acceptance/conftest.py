"""Servers that a whole module shares, where its tests do not touch each other's rows."""

from collections.abc import Iterator

import psycopg
import pytest

from db.session import connect
from tests.conftest import emptied, place_of
from tests.fleet import fresh_database
from worker.embedded import Servers


@pytest.fixture(scope="module")
def module_database_url(servers: Servers, migrated: str) -> Iterator[str]:
    """URL of a migrated database that this module alone uses."""
    with fresh_database(servers.database_url, migrated) as url:
        yield url


@pytest.fixture(scope="module")
def rows(module_database_url: str) -> Iterator[psycopg.Connection]:
    """A connection to the module's database, in autocommit."""
    with connect(module_database_url, "test") as connection:
        yield connection


@pytest.fixture(scope="module")
def module_redis_url(servers: Servers, worker_id: str) -> str:
    """URL of an empty Redis database beside the one that single tests empty."""
    return emptied(servers.redis_url, 2 * place_of(worker_id) + 1)
