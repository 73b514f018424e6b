"""Commands for schedules: background jobs put in by the clock."""

import json
from dataclasses import asdict
from enum import StrEnum
from typing import Annotated, Any

import typer

from db.queries import inspecting
from scripts.ops.frame import NOT_FOUND, USAGE, AsJson, DryRun, actor, database, fail, warn
from scripts.tables import console, plain, show_json, show_table
from worker import scheduling
from worker.lanes import background_lane
from worker.operating.actions import note

ALIVE_SECONDS = 30
"""A worker that was silent for longer counts as dead: two beats at their usual pace."""

app = typer.Typer(help="Background jobs put in by the clock.", no_args_is_help=True, rich_markup_mode=None)


class Missed(StrEnum):
    """What becomes of firings that nobody was there for."""

    ONCE = "once"
    SKIP = "skip"


@app.command("list")
def list_(as_json: AsJson = False) -> None:
    """Show all schedules with their next firings (UTC). Example: ./run ops schedules list."""
    with database() as connection:
        found = scheduling.list_schedules(connection)
    if as_json:
        show_json([asdict(one.stored) | {"firings": one.firings, "problem": one.problem} for one in found])
        return
    rows = [asdict(one.stored) | {"next": _next(one)} for one in found]
    show_table("Schedules", rows, ["name", "cron", "time_zone", "job_type", "missed", "enabled", "last_at", "next"])


@app.command()
def put(
    name: Annotated[str, typer.Argument(help="Name of the schedule; one that exists is changed.")],
    cron: Annotated[str, typer.Argument(help="Minute, hour, day of month, month, day of week.")],
    job_type: Annotated[str, typer.Option(help="Type of the background jobs.")],
    time_zone: Annotated[str, typer.Option(help="In which the cron text is read.")] = "UTC",
    payload: Annotated[str, typer.Option(help="A JSON object; each firing adds its time as 'slot'.")] = "{}",
    missed: Annotated[Missed, typer.Option(help="Whether firings missed for long are made up for.")] = Missed.ONCE,
    priority: Annotated[int, typer.Option(help="Smaller is sooner.")] = 100,
    enabled: Annotated[bool, typer.Option(help="A disabled one stays, and fires nothing.")] = True,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Make or change a schedule. Example: ./run ops schedules put nightly "30 2 * * *" --job-type clean_up."""
    content = _object(payload)
    with database() as connection, connection.transaction(force_rollback=dry_run):
        scheduling.put_schedule(
            connection,
            name,
            cron,
            job_type=job_type,
            time_zone=time_zone,
            payload=content,
            missed=missed.value,
            priority=priority,
            enabled=enabled,
        )
        note(connection, actor(), "schedules", put=name, cron=cron, job_type=job_type, enabled=enabled)
        served = background_lane(job_type) in {lane["lane"] for lane in inspecting.lanes(connection)}
        alive = any(
            process["kind"] == "worker" and process["silent_seconds"] < ALIVE_SECONDS
            for process in inspecting.workers(connection)
        )
        (one,) = (s for s in scheduling.list_schedules(connection) if s.stored.name == name)
    if not served:
        warn(
            f"no release that ran here has a handler of {job_type!r}: its jobs will fail; correct --job-type, or start "
            "a reconciler and workers that have one"
        )
    elif not alive:
        warn("no worker is alive: its jobs will wait; start some: ./run up")
    if as_json:
        show_json(asdict(one.stored) | {"firings": one.firings, "problem": one.problem, "dry_run": dry_run})
    else:
        told = "  (nothing was changed)" if dry_run else ""
        console.print(f"{plain(name)}  next: {_next(one)}{told}", soft_wrap=True)


@app.command()
def remove(
    name: Annotated[str, typer.Argument(help="Name of the schedule.")],
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Delete a schedule; jobs it has put in stay. Example: ./run ops schedules remove nightly."""
    with database() as connection, connection.transaction(force_rollback=dry_run):
        removed = scheduling.remove_schedule(connection, name)
        if removed:
            note(connection, actor(), "schedules", removed=name)
    if not removed:
        fail(f"there is no schedule {name!r}", NOT_FOUND)
    if as_json:
        show_json({"removed": name, "dry_run": dry_run})
    else:
        told = "would be removed; nothing was changed" if dry_run else "removed"
        console.print(f"{plain(name)}  {told}", soft_wrap=True)


def _object(text: str) -> dict[str, Any]:
    try:
        content = json.loads(text)
    except ValueError as error:
        fail(f"--payload: {error}; expected a JSON object", USAGE)
    if not isinstance(content, dict):
        fail(f"--payload is {text}; expected a JSON object", USAGE)
    return content


def _next(one: scheduling.Schedule) -> str:
    if one.problem:
        return one.problem
    return f"{one.firings[0]:%Y-%m-%d %H:%M}" if one.firings else "none: it is disabled"
