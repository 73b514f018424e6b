"""Commands for items that could not be read: look at them, and read them again."""

from dataclasses import asdict
from typing import Annotated

import typer

from actors.replaying import Replay, replay_job
from db.queries import quarantining
from db.queries.quarantining import Choice
from scripts.ops.frame import NOT_FOUND, USAGE, AsJson, DryRun, Yes, actor, confirm, database, fail, job_ids
from scripts.tables import console, plain, show_json, show_table
from worker.operating.actions import note
from worker.settings import load_settings

Reason = Annotated[str | None, typer.Option(help="Why it could not be read, e.g. wrong_item_shape.")]
Provider = Annotated[str | None, typer.Option(help="Whose answer it was in.")]
Endpoint = Annotated[str | None, typer.Option(help="As `./run ops quarantine` shows it, e.g. tiktok/search/keyword.")]

LEFT = {
    "running": "a worker has it at this moment; replay it when it has ended",
    "locked": "something else holds its row or task; try again",
    "gone": "the application has deleted its row",
}
"""Why a job was left as it is, in words; other reasons are sentences already."""


def quarantine(
    item: Annotated[int | None, typer.Argument(help="An item's id: show it with what was kept of it.")] = None,
    job: Annotated[str | None, typer.Option(help="The job's id.")] = None,
    reason: Reason = None,
    provider: Provider = None,
    endpoint: Endpoint = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000)] = 20,
    as_json: AsJson = False,
) -> None:
    """Show items that could not be read, newest first. Example: ./run ops quarantine --reason wrong_item_shape."""
    if item is not None:
        _show_one(item, as_json)
        return
    choice = Choice(job_ids([job])[0] if job else None, provider, endpoint, reason)
    with database() as connection:
        items = [asdict(one) for one in quarantining.list_items(connection, choice, limit)]
    if as_json:
        show_json(items)
        return
    for one in items:
        one["replay"] = one["verdict"] or ("cannot: cut" if one["cut"] else "")
    show_table("Quarantine", items, ["id", "job_id", "page", "endpoint", "reason", "size", "replay"])


def replay(
    jobs: Annotated[list[str] | None, typer.Argument(help="Ids of jobs; none for all that the options name.")] = None,
    reason: Reason = None,
    provider: Provider = None,
    endpoint: Endpoint = None,
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Read items again and store what now passes. Example: ./run ops replay --endpoint tiktok/search/keyword."""
    if not (jobs or reason or provider or endpoint):
        fail("nothing is chosen; give ids of jobs, or --reason, --provider or --endpoint", USAGE)
    ids: list[str | None] = [*job_ids(jobs)] if jobs else [None]
    unplanned = load_settings().unplanned_creators
    with database() as connection:
        meant = [
            (choice, task_id, job_id)
            for choice in (Choice(job, provider, endpoint, reason) for job in ids)
            for task_id, job_id in quarantining.tasks_with_items(connection, choice)
        ]
        if not dry_run:
            confirm(len(meant), "replayed", yes)
        replays = [
            replay_job(connection, task_id, job_id, choice, unplanned=unplanned, dry_run=dry_run)
            for choice, task_id, job_id in meant
        ]
        if not dry_run and any(one.verdicts for one in replays):
            read = {one.job_id: one.verdicts for one in replays if one.verdicts}
            note(connection, actor(), "replay", provider=provider, endpoint=endpoint, reason=reason, jobs=read)
    if as_json:
        show_json({"dry_run": dry_run, "jobs": [asdict(one) for one in replays]})
    elif not replays:
        console.print("Replay: no item that is not settled")
    for one in [] if as_json else replays:
        _tell(one, dry_run)
    if not any(one.verdicts for one in replays):
        raise typer.Exit(NOT_FOUND)


def _show_one(item_id: int, as_json: bool) -> None:
    with database() as connection:
        item = quarantining.whole_item(connection, item_id)
    if item is None:
        fail(f"there is no item {item_id}; `./run ops quarantine` lists them", NOT_FOUND)
    if as_json:
        show_json(item)
        return
    for name, value in item.items():
        if value is not None:
            console.print(f"{name.replace('_', ' ')}: {plain(str(value))}", soft_wrap=True)


def _tell(one: Replay, dry_run: bool) -> None:
    if one.left is not None:
        console.print(f"{one.job_id}  left: {plain(LEFT.get(one.left, one.left))}", soft_wrap=True)
        if not one.verdicts:
            return
    counts = ", ".join(f"{count} {verdict.replace('_', ' ')}" for verdict, count in sorted(one.verdicts.items()))
    console.print(f"{one.job_id}  {'would be: ' if dry_run else ''}{counts or 'nothing left to read'}", soft_wrap=True)
    for item_id, message in list(one.messages.items())[:5]:
        console.print(f"  item {item_id}: {plain(message[:300])}", soft_wrap=True)
