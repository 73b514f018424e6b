"""What every test shares: a clean environment, servers started once, and a database of its own for each test."""

import os
import shutil
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit
from uuid import uuid4

import psycopg
import pytest
import redis

# Before anything of ours is imported: a developer's shell must not steer the tests.
for name in list(os.environ):
    if name.startswith(
        (
            *("TRAWLER_", "SCRAPECREATORS_", "MAIL_", "SMTP_", "RESEND_", "APP_URL", "AWS_"),
            *("METRICS_", "SENTRY_", "OTEL_", "CONSOLE_", "API_TOKENS"),
        )
    ):
        del os.environ[name]
os.environ["TRAWLER_ENV_FILE"] = ""


def taken_away(variable: str) -> str:
    """Value of a variable that steers the run and that no process of the tests may see.

    It is kept under another name: processes that run tests side by side inherit the environment after it was cleaned.
    """
    kept = f"PYTEST_{variable}"
    os.environ[kept] = os.environ.pop(variable, "") or os.environ.get(kept, "")
    return os.environ[kept]


GIVEN_DATABASE_URL = taken_away("DATABASE_URL")
GIVEN_REDIS_URL = taken_away("REDIS_URL")
POOLER = taken_away("TEST_POOLER")
ROOM_BYTES = 2 << 30
"""A run with a million rows takes about a fourth of that."""

from db.migrating import migrate  # noqa: E402 - the environment comes first
from db.session import connect, driver_url  # noqa: E402
from tests.pooler import pgbouncer_program, pooled, pooler_for_all  # noqa: E402
from worker.embedded import Servers, embedded_servers  # noqa: E402


def pytest_configure(config: pytest.Config) -> None:
    """Refuse a pooler that is not there before anything starts."""
    config.addinivalue_line("markers", "direct(reason): cannot go through a transaction pooler, for this reason")
    if POOLER not in ("", "pgbouncer"):
        raise pytest.UsageError(f"TEST_POOLER is {POOLER!r}; expected 'pgbouncer', or nothing for no pooler")
    if POOLER and not pgbouncer_program():
        raise pytest.UsageError(
            "TEST_POOLER is 'pgbouncer', and there is no program `pgbouncer` in PATH, /usr/sbin or /usr/local/sbin; "
            "install it (on Debian and Ubuntu the package pgbouncer), or unset TEST_POOLER"
        )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files that take longest come first, so that none of them runs alone at the end.

    What says nothing about a pooler is left out of a run through one.
    """
    minutes: Counter[Path] = Counter()
    for item in items:
        if slow := item.get_closest_marker("slow"):
            minutes[item.path] += slow.kwargs.get("minutes", 0.2)
    items.sort(key=lambda item: -minutes[item.path])
    for item in items if POOLER else []:
        if marker := item.get_closest_marker("direct"):
            item.add_marker(pytest.mark.skip(reason=f"direct connections only: {marker.args[0]}"))


@contextmanager
def folder_of_servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where the servers of a run keep their data: in memory where there is room, for each test makes a database."""
    memory = Path("/dev/shm")
    if not os.access(memory, os.W_OK) or shutil.disk_usage(memory).free < ROOM_BYTES:
        yield tmp_path_factory.mktemp("servers")
        return
    with TemporaryDirectory(prefix="trawler_tests_", dir=memory) as home:
        yield Path(home)


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """URLs of a Postgres and a Redis for the whole run: those given in the environment, else our own.

    The URL of Postgres is the server's own, for administration; what is under test goes where `pooled` says.
    """
    with (
        folder_of_servers(tmp_path_factory) as home,
        embedded_servers(home, postgres=not GIVEN_DATABASE_URL, valkey=not GIVEN_REDIS_URL) as own,
    ):
        found = Servers(database_url=GIVEN_DATABASE_URL or own.database_url, redis_url=GIVEN_REDIS_URL or own.redis_url)
        with pooler_for_all(found.database_url) if POOLER else nullcontext():
            yield found


def other_database(url: str, name: str) -> str:
    """The URL of another database on the same server."""
    return urlsplit(driver_url(url))._replace(path=f"/{name}").geturl()


@pytest.fixture(scope="session")
def migrated(servers: Servers) -> Iterator[str]:
    """Name of a database with every migration, to be cloned and never written."""
    name = f"trawler_template_{uuid4().hex[:12]}"
    with connect(servers.database_url) as admin:
        admin.execute(f"CREATE DATABASE {name}".encode())
        migrate(other_database(servers.database_url, name))
        yield name
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


@pytest.fixture
def empty_database(servers: Servers) -> Iterator[str]:
    """URL of a new database without anything in it."""
    name = f"trawler_empty_{uuid4().hex[:12]}"
    with connect(servers.database_url) as admin:
        admin.execute(f"CREATE DATABASE {name}".encode())
        yield pooled(other_database(servers.database_url, name))
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


@pytest.fixture
def database_url(servers: Servers, migrated: str) -> Iterator[str]:
    """URL of a migrated database that this test alone uses."""
    name = f"trawler_test_{uuid4().hex[:12]}"
    with connect(servers.database_url) as admin:
        admin.execute(f"CREATE DATABASE {name} TEMPLATE {migrated}".encode())
        yield pooled(other_database(servers.database_url, name))
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


@pytest.fixture
def connection(database_url: str) -> Iterator[psycopg.Connection]:
    """A connection to the test's database, in autocommit."""
    with connect(database_url, "test") as connection:
        yield connection


@pytest.fixture
def witness(servers: Servers, database_url: str) -> Iterator[psycopg.Connection]:
    """As `connection`, with no pooler before it: it looks on while a test cuts the connections of all others."""
    with connect(other_database(servers.database_url, urlsplit(database_url).path[1:]), "witness") as connection:
        yield connection


@pytest.fixture
def redis_url(servers: Servers, worker_id: str) -> str:
    """URL of an empty Redis database that this test alone uses."""
    return emptied(servers.redis_url, 2 * place_of(worker_id))


def place_of(worker_id: str) -> int:
    """Which of the processes that run tests side by side this is, from 0."""
    return int(worker_id.removeprefix("gw")) if worker_id.startswith("gw") else 0


def emptied(redis_url: str, number: int) -> str:
    """URL of one database of a Redis, without keys."""
    url = urlsplit(redis_url)._replace(path=f"/{number}").geturl()
    with redis.Redis.from_url(url) as client:
        client.flushdb()
    return url
