"""The servers a command needs: those that are set, else our own for as long as the command runs."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from worker.embedded import Servers, embedded_servers
from worker.settings import Settings


@contextmanager
def servers_for(settings: Settings, home: Path) -> Iterator[Servers]:
    """URLs of Postgres and Redis; what is not set is started below ``home`` and stopped at the end.

    Raises `worker.errors.ServerUnavailable` when an own server cannot be had.
    """
    database_url = settings.database_url.get_secret_value()
    redis_url = settings.redis_url.get_secret_value()
    with embedded_servers(home, postgres=not database_url, valkey=not redis_url) as own:
        yield Servers(database_url=database_url or own.database_url, redis_url=redis_url or own.redis_url)
