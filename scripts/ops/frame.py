"""What every command shares: the database, ids, who does it, and exit codes."""

import getpass
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, NoReturn
from uuid import UUID

import psycopg
import typer

from db.queries import searching
from db.session import connect
from worker.boot import check_database, check_schema, find_servers
from worker.errors import ConfigurationError
from worker.redaction import redact
from worker.settings import load_settings

if TYPE_CHECKING:
    import redis

    from worker.enqueueing import Enqueued

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would happen, and change nothing.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask, however many there are.")]

NOT_FOUND = 1
"""Nothing was found, or nothing was to be done."""
USAGE = 2
"""The command was given wrongly, or a server does not answer."""
UNCONFIRMED = 3
"""So many jobs that somebody must say yes, and nobody did."""
NOT_YET = 4
"""What was waited for has not come in time."""

UNASKED = 100
"""Jobs that are changed without a question."""
SEARCH = "search:"


@contextmanager
def database(*, any_schema: bool = False) -> Iterator[psycopg.Connection]:
    """A connection to the database, with every problem told in a line and exit code 2.

    The schema must be this release's or newer, unless ``any_schema`` is given.
    """
    try:
        database_url, _ = find_servers(load_settings())
        (check_database if any_schema else check_schema)(database_url)
        with connect(database_url, "trawler ops") as connection:
            yield connection
    except (ConfigurationError, psycopg.Error) as error:
        fail(redact(str(error)).strip(), USAGE)


def redis_client() -> "redis.Redis":
    """A client of the Redis in use, which need not answer; a URL that is none ends the command."""
    from worker.broker import make_redis

    try:
        return make_redis(find_servers(load_settings())[1], connections=1)
    except ConfigurationError as error:
        fail(redact(str(error)), USAGE)
    except ValueError as error:
        fail(f"REDIS_URL: {redact(str(error))}", USAGE)


@contextmanager
def answering_redis() -> "Iterator[redis.Redis]":
    """The same, where nothing can be done without it: what it does not answer ends the command."""
    import redis

    try:
        yield redis_client()
    except redis.RedisError as error:
        fail(f"Redis did not answer: {redact(str(error))}; start it and try again", USAGE)


def wake_up(enqueued: "Enqueued") -> None:
    """Send a wake-up for a job that was put in; without Redis the reconciler will see to it."""
    import redis

    from worker.broker import WakeUps
    from worker.enqueueing import wake

    try:
        wake(WakeUps(redis_client()), enqueued)
    except redis.RedisError as error:
        warn(f"no wake-up sent ({redact(str(error))}); the reconciler will see to the job")


def fail(problem: str, code: int) -> NoReturn:
    """End the command with a line on standard error."""
    print(f"ops: {problem}", file=sys.stderr)
    raise typer.Exit(code) from None


def warn(what: str) -> None:
    """A line on standard error; the command goes on."""
    print(f"ops: {what}", file=sys.stderr)


def actor() -> str:
    """Who gives the command, for the events: the account and the machine."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):
        name = "unknown"
    return f"ops {name}@{socket.gethostname()}"


def confirm(count: int, what: str, yes: bool) -> None:
    """Ask before more than a hundred jobs are changed; without a terminal only ``--yes`` is an answer."""
    if count <= UNASKED or yes:
        return
    told = f"{count:,} jobs would be {what}, more than {UNASKED}"
    if not sys.stdin.isatty():
        fail(f"{told}; look at them with --dry-run, then say --yes; nothing was changed", UNCONFIRMED)
    if not typer.confirm(f"{told}. Go on?", err=True):
        fail("nothing was changed", UNCONFIRMED)


def job_ids(values: list[str]) -> list[str]:
    """The ids in their usual spelling, each once; ends the command when one is no UUID.

    ``search:ID`` is a row of ``search_jobs``, whose id may be any text: it becomes the UUID by which the engine knows
    that search.
    """
    named = [_key_of(value.removeprefix(SEARCH)) if value.startswith(SEARCH) else value for value in values]
    wrong = [value for value in named if not _is_uuid(value)]
    if wrong:
        fail(
            f"{', '.join(wrong)}: not a job id; expected a UUID as `./run ops list` shows it, or search:ID for a row "
            "of search_jobs",
            USAGE,
        )
    return list(dict.fromkeys(str(UUID(value)) for value in named))


def _key_of(search: str) -> str:
    with database() as connection:
        return searching.key_of(connection, search)


def _is_uuid(value: str) -> bool:
    try:
        UUID(value)
    except ValueError:
        return False
    return True
