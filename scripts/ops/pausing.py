"""Commands that keep new work from starting, and let it go on."""

from typing import Annotated

import psycopg
import typer

from db.queries import lanes, releasing
from scripts.ops.frame import USAGE, AsJson, DryRun, actor, answering_redis, database, fail
from scripts.ops.lanes import All, Lanes, Platform, lanes_of, tell
from scripts.ops.providers import known_provider
from scripts.tables import console, counted, show_json
from worker.operating.actions import note

BATCH = 1_000


def pause(
    reason: Annotated[str, typer.Option(help="Why; the lane shows it.")],
    names: Lanes = None,
    platform: Platform = None,
    everything: All = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Let no job of these lanes start; running ones go on.

    Examples: ./run ops pause scrape.tiktok --reason costs; ./run ops pause --platform tiktok --reason costs.
    """
    with database() as connection:
        meant = lanes_of(connection, names, platform, everything)
        with connection.transaction(force_rollback=dry_run):
            changed = lanes.pause(connection, meant, reason)
            if changed:
                note(connection, actor(), "pause", lanes=changed, reason=reason)
    tell(meant, changed, "would be paused" if dry_run else "paused", "was paused before", as_json)


def resume(
    names: Lanes = None,
    platform: Platform = None,
    everything: All = False,
    provider: Annotated[
        str | None, typer.Option(help="A provider that was mended: its pauses end, and jobs that wait for it are due.")
    ] = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """End the pause and the rest of lanes, or of a provider.

    Examples: ./run ops resume scrape.tiktok; ./run ops resume --all; ./run ops resume --provider scrapecreators.
    """
    if provider is not None:
        if names or platform or everything:
            fail("resume takes names of lanes, or --provider with the name of one", USAGE)
        _resume_provider(known_provider(provider), dry_run, as_json)
        return
    if not (names or platform or everything):
        fail("resume takes names of lanes, --platform or --all, or --provider with the name of one", USAGE)
    with database() as connection:
        meant = lanes_of(connection, names, platform, everything)
        with connection.transaction(force_rollback=dry_run):
            changed = lanes.resume(connection, meant)
            if changed:
                note(connection, actor(), "resume", lanes=changed)
    tell(meant, changed, "would be resumed" if dry_run else "resumed", "was not held back", as_json)


def _resume_provider(provider: str, dry_run: bool, as_json: bool) -> None:
    from worker.limits.learned import learned_rates
    from worker.limits.overview import let_go, open_breakers

    with answering_redis() as client:
        if dry_run:
            held = sum(one.provider == provider and one.held_until is not None for one in learned_rates(client))
            ended = held + sum(one.provider == provider for one in open_breakers(client))
        else:
            ended = let_go(client, provider)
    with database() as connection, connection.transaction(force_rollback=dry_run):
        due = _release(connection, provider)
        if ended or due:
            note(connection, actor(), "resume", provider=provider, jobs_due=due)
    changed = [provider] if ended else []
    done = "would be resumed" if dry_run else "resumed"
    if as_json:
        show_json({done: changed, "unchanged": [] if ended else [provider], "jobs_due": due})
        return
    tell([provider], changed, done, "was not held back", as_json)
    if due:
        console.print(f"{'would be ' if dry_run else ''}due now, as they waited for it: {counted(due, 'job')}")


def _release(connection: psycopg.Connection, provider: str) -> int:
    due = 0
    while released := releasing.release_waiting(connection, provider, BATCH):
        due += len(released)
    return due
