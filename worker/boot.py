"""What every process does before its work: read settings, find the servers, set up logs, check the schema."""

import secrets
from dataclasses import dataclass

import psycopg

from db.revision import current_revision, newest_revision
from db.session import connect
from worker.embedded import running_servers
from worker.errors import ConfigurationError, ServerUnavailable
from worker.redaction import redact
from worker.settings import Settings, load_settings


@dataclass(frozen=True, slots=True)
class Boot:
    """A process that may start: its settings, the servers it uses and a random name of its own."""

    settings: Settings
    database_url: str
    redis_url: str
    owner: str


def find_servers(settings: Settings) -> tuple[str, str]:
    """URLs of Postgres and Redis: those that are set, else the own servers that run now.

    Raises `ConfigurationError` when there are none.
    """
    database_url = settings.database_url.get_secret_value()
    redis_url = settings.redis_url.get_secret_value()
    if database_url and redis_url:
        return database_url, redis_url
    own = running_servers(settings.home)
    database_url = database_url or (own.database_url if own else "")
    redis_url = redis_url or (own.redis_url if own else "")
    missing = [name for name, url in (("DATABASE_URL", database_url), ("REDIS_URL", redis_url)) if not url]
    if missing:
        raise ConfigurationError(
            f"{' and '.join(missing)} not set, and no server of ours runs below {settings.home}; "
            "set them, or start everything with ./run up"
        )
    return database_url, redis_url


def boot() -> Boot:
    """All that a worker or reconciler needs. Raises `ConfigurationError` with what to do when something is missing."""
    from worker.logging import configure_logging

    settings = load_settings()
    configure_logging(settings.log_level, settings.log_format)
    database_url, redis_url = find_servers(settings)
    check_schema(database_url)
    check_redis(redis_url)
    return Boot(settings, database_url, redis_url, owner=secrets.token_hex(8))


def check_database(database_url: str) -> str | None:
    """The database's revision, None before the first migration.

    Raises `ServerUnavailable` when it does not answer, `ConfigurationError` when a pooler refuses transactions.
    """
    try:
        with connect(database_url) as connection:
            return current_revision(connection)
    except psycopg.errors.InsufficientPrivilege as error:
        raise ConfigurationError(
            f"DATABASE_URL: the role may not read what it must: {redact(str(error)).strip()}; expected the rights "
            "of docs/security.md; as the owner of the tables, run ./run migrate --grants-for ROLE"
        ) from None
    except (psycopg.OperationalError, psycopg.ProgrammingError) as error:
        # PgBouncer has one code for all it refuses, so its words must tell.
        if "statement pooling mode" in str(error):
            raise ConfigurationError(
                "DATABASE_URL: a pooler in statement mode refuses transactions; expected transaction or session mode; "
                "set pool_mode = transaction for this database, or name Postgres itself"
            ) from None
        raise ServerUnavailable(
            f"DATABASE_URL: Postgres does not answer: {redact(str(error)).strip()}; expected a running server, as "
            "postgresql://user:password@host:port/database; correct the variable or start the server"
        ) from None


UNAVAILABLE = 69
MISCONFIGURED = 2


def exit_code(error: ConfigurationError) -> int:
    """How a process ends that cannot start: 69 where trying again may help, 2 where somebody must mend a setting."""
    return UNAVAILABLE if isinstance(error, ServerUnavailable) else MISCONFIGURED


def check_schema(database_url: str) -> None:
    """Raise `ConfigurationError` unless the database answers and is at this release's revision or a newer one."""
    revision = check_database(database_url)
    if revision is None or revision < newest_revision():
        raise ConfigurationError(
            f"the database is at revision {revision or 'none'}; expected {newest_revision()} or newer; "
            "run ./run migrate"
        )


def check_redis(redis_url: str) -> None:
    """Raise `ConfigurationError` unless Redis answers."""
    # Imported here, as commands that ask Redis nothing are done sooner without.
    import redis

    from worker.broker import make_redis

    try:
        make_redis(redis_url, connections=1).ping()
    except (redis.RedisError, ValueError) as error:
        raise ServerUnavailable(f"REDIS_URL: Redis does not answer: {redact(str(error))}") from None
