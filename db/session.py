"""Connections to Postgres, set up for transaction poolers: no server-side prepared statements, no session settings."""

from typing import Any, TypeAlias

from psycopg import AsyncConnection, Connection, OperationalError
from psycopg.conninfo import make_conninfo
from psycopg_pool import AsyncConnectionPool, ConnectionPool

CONNECT_SECONDS = 5

Pool: TypeAlias = "AsyncConnectionPool[AsyncConnection[Any]]"
ThreadPool: TypeAlias = "ConnectionPool[Connection[Any]]"


def driver_url(database_url: str) -> str:
    """A URL as psycopg takes it, whichever of the usual spellings of the scheme it came with."""
    for scheme in ("postgresql+psycopg://", "postgres://"):
        if database_url.startswith(scheme):
            return "postgresql://" + database_url.removeprefix(scheme)
    return database_url


def sqlalchemy_url(database_url: str) -> str:
    """The same URL as SQLAlchemy takes it, naming the driver."""
    return driver_url(database_url).replace("postgresql://", "postgresql+psycopg://", 1)


def _conninfo(database_url: str, application_name: str) -> str:
    # Keepalives find a server that vanished without a word; without them a beat could wait for minutes.
    return make_conninfo(
        driver_url(database_url),
        application_name=application_name,
        connect_timeout=CONNECT_SECONDS,
        keepalives_idle=10,
        keepalives_interval=5,
        keepalives_count=3,
        tcp_user_timeout=20_000,
    )


def connect(database_url: str, application_name: str = "trawler", *, autocommit: bool = True) -> Connection:
    """One connection of its own. Raises `psycopg.OperationalError` when the server cannot be reached."""
    return Connection.connect(_conninfo(database_url, application_name), autocommit=autocommit, prepare_threshold=None)


async def connect_async(database_url: str, application_name: str) -> AsyncConnection[Any]:
    """As `connect`, for a coroutine; in autocommit."""
    return await AsyncConnection.connect(
        _conninfo(database_url, application_name), autocommit=True, prepare_threshold=None
    )


def make_thread_pool(database_url: str, application_name: str, max_size: int) -> ThreadPool:
    """A pool for threads that is not open yet; it holds no connection while nobody asks for one.

    Its connections are in autocommit and looked at before they are given.
    """
    return ConnectionPool(
        _conninfo(database_url, application_name),
        kwargs={"autocommit": True, "prepare_threshold": None},
        min_size=0,
        max_size=max_size,
        reconnect_timeout=30,
        max_idle=60,
        check=ConnectionPool.check_connection,
        open=False,
    )


def make_pool(database_url: str, application_name: str, max_size: int) -> Pool:
    """A pool that is not open yet; open it inside the loop that will use it. Its connections are in autocommit."""
    return AsyncConnectionPool(
        _conninfo(database_url, application_name),
        kwargs={"autocommit": True, "prepare_threshold": None},
        min_size=1,
        max_size=max_size,
        timeout=30,
        # Its pauses between attempts double until then: with the default of 300 s the last takes two minutes.
        reconnect_timeout=30,
        max_idle=300,
        open=False,
    )


def storable(text: str) -> str:
    """The text as a Postgres ``text`` value can hold it: without NUL and lone surrogates, which providers do send."""
    return text.replace("\x00", "").encode("utf-8", "replace").decode()


def connection_lost(error: OperationalError) -> bool:
    """Whether the error means that the server cannot be reached or shut the door, and not that a statement failed.

    Libpq's own errors and the pool's carry no SQLSTATE; classes 08 and 57P are Postgres' words for the same.
    """
    return error.sqlstate is None or error.sqlstate.startswith(("08", "57P"))
