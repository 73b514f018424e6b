"""One API for all tests of a module, on a database of the module's own."""

from collections.abc import Iterator

import httpx
import psycopg
import pytest

from db.session import connect
from tests.api.serving import ALL, Api, make_host, serving
from tests.fleet import fresh_database
from tests.integration.engine.steps import make_lanes
from worker.embedded import Servers


@pytest.fixture(scope="module")
def module_database_url(servers: Servers, migrated: str) -> Iterator[str]:
    """URL of a migrated database that this module alone uses."""
    with fresh_database(servers.database_url, migrated) as url:
        yield url


@pytest.fixture(scope="module")
def rows(module_database_url: str) -> Iterator[psycopg.Connection]:
    """A connection to it, in autocommit, with the lanes of its jobs made."""
    with connect(module_database_url, "test") as connection:
        make_lanes(connection)
        yield connection


@pytest.fixture(scope="module")
def api(module_database_url: str, rows: psycopg.Connection) -> Iterator[Api]:
    """The API of the module."""
    with serving(make_host(module_database_url)) as running:
        yield running


@pytest.fixture(scope="module")
def client(api: Api) -> httpx.Client:
    """A caller that may do everything."""
    return api.with_token(ALL)
