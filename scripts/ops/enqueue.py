"""The command that puts a search in; what a worker would refuse is refused here, before there is a row."""

import json
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from platforms.params import KNOWN_PARAMS, unknown_params
from platforms.query import read_query
from platforms.registry import PLATFORM_NAMES, find, fold_platform
from scripts.ops.frame import USAGE, AsJson, DryRun, actor, database, fail, wake_up, warn
from scripts.tables import console, show_json
from worker.enqueueing import Enqueued, enqueue_scraping_job
from worker.errors import InvalidJob
from worker.operating.actions import note


def enqueue(
    user: Annotated[str, typer.Option(help="user_id of the row: the tenant.")],
    keywords: Annotated[
        list[str] | None, typer.Argument(help="Words to search for, each a walk of its own; #word is a hashtag.")
    ] = None,
    platform: Annotated[str, typer.Option(help="TikTok, Instagram or YouTube, in any casing.")] = "TikTok",
    target_username: Annotated[
        str | None,
        typer.Option("--target-username", "--like", help="A username or a profile's link: find creators like it."),
    ] = None,
    target: Annotated[int, typer.Option(help="Creators wanted.")] = 100,
    region: Annotated[str, typer.Option(help="Country code of the search.")] = "US",
    param: Annotated[
        list[str] | None,
        typer.Option(
            help="A key of search_params, as key=value, any number of times; a key given twice makes a list. "
            "Keys: " + ", ".join(sorted(KNOWN_PARAMS)) + "."
        ),
    ] = None,
    key: Annotated[str | None, typer.Option(help="Idempotency key: a second call gives the first job.")] = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Put a search in, by words or for creators like one.

    Examples: ./run ops enqueue "desk lamp" "#studio" --user user_1 --target 50;
    ./run ops enqueue --like @name --platform YouTube --user user_1 --param min_followers=1000 --param verified=true.
    """
    params = _params(param or [])
    _check(platform, keywords or [], target_username, region, target, params)
    with database() as connection, connection.transaction(force_rollback=dry_run):
        enqueued = enqueue_scraping_job(
            connection,
            user_id=user,
            platform=PLATFORM_NAMES[fold_platform(platform)],
            keywords=keywords or None,
            target_username=target_username,
            target_results=target,
            region=region,
            search_params=params or None,
            idempotency_key=key,
        )
        if enqueued.created:
            note(connection, actor(), "enqueue", job=enqueued.job_id)
    if dry_run:
        _tell_dry_run(enqueued, as_json)
        return
    wake_up(enqueued)
    if as_json:
        show_json({"job_id": enqueued.job_id, "created": enqueued.created})
    else:
        console.print(enqueued.job_id if enqueued.created else f"{enqueued.job_id} (the key was used before)")


def _tell_dry_run(enqueued: Enqueued, as_json: bool) -> None:
    """The id of a job that would be new is not told, since it would be another."""
    known = None if enqueued.created else enqueued.job_id
    if as_json:
        show_json({"dry_run": True, "job_id": known, "created": enqueued.created})
    else:
        console.print(f"{known} (the key was used before)" if known else "a job would be put in; nothing was changed")


def _params(given: Sequence[str]) -> dict[str, Any]:
    """``key=value`` texts as an object: values that are JSON as that, others as text."""
    params: dict[str, Any] = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals or not name.strip():
            fail(f"--param {text}: expected key=value, e.g. --param min_followers=1000", USAGE)
        name, read = name.strip(), _value(value)
        if name in params:
            before = params[name] if isinstance(params[name], list) else [params[name]]
            read = [*before, read]
        params[name] = read
    return params


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _check(
    platform: str, keywords: list[str], target_username: str | None, region: str, target: int, params: dict[str, Any]
) -> None:
    """End the command when no worker could do the row."""
    if keywords and target_username:
        fail("both words and --target-username: a row is a search by words or a similar search; leave one out", USAGE)
    if not keywords and not target_username:
        fail("neither words nor --target-username; give words to search for, or whom to find creators like", USAGE)
    try:
        query = read_query(platform, keywords, target_username, region, target, params)
        refused = None
        for adapter in find(query.platform, query.kind, query.providers):
            try:
                adapter.starts(query)
                break
            except InvalidJob as error:
                refused = refused or error
        else:
            raise refused or InvalidJob("nobody can be asked")
    except InvalidJob as error:
        # The last sentence says what to do with a row, and there is none.
        fail(f"{str(error).rpartition('. ')[0] or error}; no job was put in", USAGE)
    if ignored := unknown_params(params):
        warn(f"{', '.join(ignored)}: not known and ignored; known are {', '.join(sorted(KNOWN_PARAMS))}")
