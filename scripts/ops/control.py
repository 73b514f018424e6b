"""Commands that stop work on purpose and let it go on."""

from typing import Annotated

import psycopg
import redis
import typer

from actors.providers import PROVIDERS
from db.queries import cancelling, explaining, inspecting, lanes
from scripts.ops.frame import NOT_FOUND, USAGE, AsJson, database, fail, job_ids, redis_client
from scripts.tables import console, plain, show_json
from worker.limits.overview import let_go
from worker.redaction import redact

Lanes = Annotated[list[str], typer.Argument(help="Names of lanes, as `./run ops status` shows them.")]
NOW = "cancelled at once"
ASKED = {
    "scraping_jobs": "asked to stop at its next page",
    "search_jobs": "asked to stop at its next page",
    "background_jobs": "asked to stop when its handler returns, which is not interrupted",
}
OPEN = ("pending", "queued", "processing")


def cancel(
    jobs: Annotated[list[str], typer.Argument(help="Ids of jobs of any table.")],
    reason: Annotated[str, typer.Option(help="Goes into the job's error text.")],
    as_json: AsJson = False,
) -> None:
    """Stop jobs; what they have stored is kept. Example: ./run ops cancel 3f0c... --reason "wrong keyword"."""
    ids = job_ids(jobs)
    done: dict[str, str] = {}
    skipped: dict[str, str] = {}
    with database() as connection:
        for job_id in ids:
            before = cancelling.cancel(connection, job_id, reason)
            if before is None:
                skipped[job_id] = _why_not(connection, job_id)
            else:
                row = explaining.find_row(connection, job_id) if before == "leased" else None
                done[job_id] = ASKED[row.job_table] if row else NOW
    if as_json:
        now = [job_id for job_id, what in done.items() if what == NOW]
        show_json({"cancelled": now, "asked": [job_id for job_id in done if job_id not in now], "skipped": skipped})
    else:
        for job_id in ids:
            console.print(f"{job_id}  {done.get(job_id) or 'skipped: ' + plain(skipped[job_id])}", soft_wrap=True)
    if not done:
        raise typer.Exit(NOT_FOUND)


def _why_not(connection: psycopg.Connection, job_id: str) -> str:
    row = explaining.find_row(connection, job_id)
    if row is None:
        return "there is no such job"
    if row.status not in OPEN:
        return f"it is {row.status}; only jobs that are pending or processing are cancelled"
    return f"it is {row.status}, but no open task works for it; see ./run ops explain {job_id}"


def pause(
    names: Lanes,
    reason: Annotated[str, typer.Option(help="Why; the lane shows it.")],
    as_json: AsJson = False,
) -> None:
    """Let no job of these lanes start; running ones go on. Example: ./run ops pause scrape.tiktok --reason costs."""
    with database() as connection:
        _known(connection, names)
        _tell(names, lanes.pause(connection, names, reason), "paused", "was paused before", as_json)


def resume(
    names: Annotated[list[str] | None, typer.Argument(help="Names of lanes, as `./run ops status` shows them.")] = None,
    provider: Annotated[
        str | None, typer.Option(help="A provider that was mended: its pauses and waits end without a probe.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """End the pause, and the rest, of lanes or of a provider. Jobs that wait already come at the times they have.

    Examples: ./run ops resume scrape.tiktok; ./run ops resume --provider scrapecreators.
    """
    if bool(names) == (provider is not None):
        fail("resume takes names of lanes, or --provider with the name of one", USAGE)
    if provider is not None:
        _resume_provider(provider, as_json)
        return
    lanes_named = names or []
    with database() as connection:
        _known(connection, lanes_named)
        _tell(lanes_named, lanes.resume(connection, lanes_named), "resumed", "was not held back", as_json)


def _resume_provider(provider: str, as_json: bool) -> None:
    if provider not in PROVIDERS:
        fail(f"{plain(provider)}: no such provider; there are: {', '.join(PROVIDERS)}", USAGE)
    try:
        ended = let_go(redis_client(), provider)
    except redis.RedisError as error:
        fail(f"Redis did not answer: {redact(str(error))}; start it and try again", USAGE)
    _tell([provider], [provider] if ended else [], "resumed", "was not held back", as_json)


def _known(connection: psycopg.Connection, names: list[str]) -> None:
    known = [lane["lane"] for lane in inspecting.lanes(connection)]
    if unknown := [name for name in names if name not in known]:
        fail(f"{', '.join(unknown)}: no such lane; there are: {', '.join(known) or 'none yet'}", USAGE)


def _tell(names: list[str], changed: list[str], done: str, otherwise: str, as_json: bool) -> None:
    if as_json:
        show_json({done: sorted(changed), "unchanged": sorted(set(names) - set(changed))})
        return
    for name in dict.fromkeys(names):
        console.print(f"{plain(name)}  {done if name in changed else otherwise}", soft_wrap=True)
