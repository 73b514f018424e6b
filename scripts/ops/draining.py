"""The command that brings a fleet to rest."""

import sys
import time
from typing import Annotated

import psycopg
import typer

from db.queries import inspecting, lanes
from scripts.ops.filters import span
from scripts.ops.frame import NOT_YET, USAGE, AsJson, DryRun, actor, database, fail
from scripts.ops.lanes import Lanes, Platform, lanes_of, tell
from scripts.tables import console, counted, show_json
from worker.operating.actions import note

BEGINNING = "drain: "
"""How the pause reason of a drained lane begins, so that the end of a drain resumes no other."""

LOOK_SECONDS = 0.25


def drain(
    names: Lanes = None,
    platform: Platform = None,
    reason: Annotated[str, typer.Option(help="Why; the lanes show it.")] = "maintenance",
    timeout: Annotated[str, typer.Option(help="How long to wait until all is idle, e.g. 10m.")] = "10m",
    end: Annotated[bool, typer.Option("--end", help="Resume the lanes that a drain paused, and no other.")] = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Let nothing new start, and tell when all is idle. Of all lanes where none is named.

    Exit code 0 when all is idle, 4 when something still runs after --timeout; the lanes stay paused either way.
    Examples: ./run ops drain --reason deploy --timeout 5m; afterwards ./run ops drain --end.
    """
    longest = span("--timeout", timeout)
    with database() as connection:
        if end:
            if names or platform:
                fail("--end resumes all that a drain paused; leave the lanes out, or use resume", USAGE)
            _end(connection, dry_run, as_json)
            return
        everything = not (names or platform)
        meant = lanes_of(connection, names, platform, everything)
        with connection.transaction(force_rollback=dry_run):
            paused = lanes.pause(connection, meant, BEGINNING + reason)
            note(connection, actor(), "drain", lanes=paused, reason=reason)
        if dry_run:
            _tell_dry_run(paused, lanes.running(connection, meant), as_json)
            return
        try:
            running = _wait(
                connection, meant, paused, longest.total_seconds(), BEGINNING + reason if everything else None
            )
        except KeyboardInterrupt:
            fail("not waited for any longer; the lanes stay paused, go on with ./run ops drain --end", NOT_YET)
    if as_json:
        show_json({"idle": not running, "running": running, "paused": sorted(paused)})
    elif running:
        still = ", ".join(f"{count:,} in {lane}" for lane, count in running.items())
        console.print(f"not idle after {timeout}: {still} still run; the lanes stay paused", soft_wrap=True)
    else:
        console.print(f"idle: nothing runs, {counted(len(meant), 'lane')} paused; go on with ./run ops drain --end")
    if running:
        raise typer.Exit(NOT_YET)


def _wait(
    connection: psycopg.Connection, meant: list[str], paused: list[str], seconds: float, of_all: str | None
) -> dict[str, int]:
    """Wait until nothing runs; give what still does. A release that starts meanwhile may make lanes: also paused."""
    deadline = time.monotonic() + seconds
    while (running := lanes.running(connection, meant)) and time.monotonic() < deadline:
        _progress(running)
        time.sleep(LOOK_SECONDS)
        if of_all is not None:
            meant[:] = inspecting.lane_names(connection)
            paused += lanes.pause(connection, meant, of_all)
    return running


def _progress(running: dict[str, int]) -> None:
    if sys.stderr.isatty():
        print(f"\r{sum(running.values()):,} still run \x1b[K", end="", file=sys.stderr, flush=True)


def _tell_dry_run(paused: list[str], running: dict[str, int], as_json: bool) -> None:
    if as_json:
        show_json({"dry_run": True, "would_pause": sorted(paused), "running": running})
    else:
        told = (
            f"{counted(len(paused), 'lane')} would be paused, {sum(running.values()):,} still run; nothing was changed"
        )
        console.print(told, soft_wrap=True)


def _end(connection: psycopg.Connection, dry_run: bool, as_json: bool) -> None:
    with connection.transaction(force_rollback=dry_run):
        drained = lanes.paused_for(connection, BEGINNING)
        changed = lanes.resume(connection, drained)
        if changed:
            note(connection, actor(), "resume", lanes=changed)
    if not (changed or as_json):
        console.print("no lane was drained")
    tell(drained, changed, "would be resumed" if dry_run else "resumed", "was not held back", as_json)
