"""What every command shares: the database, ids, exit codes."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, NoReturn
from uuid import UUID

import psycopg
import redis
import typer

from db.queries import searching
from db.session import connect
from worker.boot import check_database, check_schema, find_servers
from worker.broker import make_redis
from worker.errors import ConfigurationError
from worker.redaction import redact
from worker.settings import load_settings

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
NOT_FOUND = 1
USAGE = 2
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


def redis_client() -> redis.Redis:
    """A client of the Redis in use, which need not answer; a URL that is none ends the command."""
    try:
        return make_redis(find_servers(load_settings())[1], connections=1)
    except ValueError as error:
        fail(f"REDIS_URL: {redact(str(error))}", USAGE)


def fail(problem: str, code: int) -> NoReturn:
    """End the command with a line on standard error."""
    print(f"ops: {problem}", file=sys.stderr)
    raise typer.Exit(code) from None


def warn(what: str) -> None:
    """A line on standard error; the command goes on."""
    print(f"ops: {what}", file=sys.stderr)


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
