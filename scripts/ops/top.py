"""The live view of a fleet in the terminal."""

import contextlib
import os
import select
import sys
import termios
import time
import tty
from collections.abc import Callable, Iterator
from dataclasses import asdict
from datetime import timedelta
from typing import Annotated, Any

import psycopg
import typer
from rich.console import Group
from rich.live import Live
from rich.text import Text

from db.queries import inspecting, watching
from scripts.ops.fleet import LANES, held_back
from scripts.ops.frame import AsJson, database
from scripts.tables import console, counted, make_table, printable, show_json
from worker.clock import utc_now

LAST = timedelta(minutes=1)
ALIVE_SECONDS = 30
"""A process that was silent for longer counts as gone: two beats at their usual pace."""
MOST_JOBS = 15
BAR = 12


def top(
    once: Annotated[bool, typer.Option("--once", help="Show it once and end.")] = False,
    every: Annotated[float, typer.Option(min=0.2, max=60, help="Seconds between two looks.")] = 2.0,
    as_json: AsJson = False,
) -> None:
    """Watch lanes, jobs and processes live, until q or Ctrl-C. Example: ./run ops top."""
    with database() as connection:
        if as_json:
            show_json(_look(connection))
        elif once or not (console.is_terminal and sys.stdin.isatty()):
            console.print(_picture(_look(connection)))
        else:
            _watch(connection, every)


def _watch(connection: psycopg.Connection, every: float) -> None:
    with contextlib.suppress(KeyboardInterrupt), _keys() as asked_to_end:
        live = Live(_picture(_look(connection)), console=console, screen=True, auto_refresh=False)
        try:
            # Not by `with`: a Ctrl-C in the middle of the start would leave the terminal on the other screen.
            live.start(refresh=True)
            while not asked_to_end(every):
                live.update(_picture(_look(connection)), refresh=True)
        finally:
            live.stop()


@contextlib.contextmanager
def _keys() -> Iterator[Callable[[float], bool]]:
    """Reads keys as they are pressed; gives what waits so many seconds and says whether ``q`` was among them."""
    entry = sys.stdin.fileno()
    before = termios.tcgetattr(entry)

    def asked_to_end(seconds: float) -> bool:
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            if not select.select([entry], [], [], left)[0]:
                continue
            # Past Python's own buffer: what that holds, nobody is told of by select.
            pressed = os.read(entry, 1024)
            if not pressed or b"q" in pressed.lower():
                return True
        return False

    try:
        tty.setcbreak(entry)
        yield asked_to_end
    finally:
        termios.tcsetattr(entry, termios.TCSADRAIN, before)


def _look(connection: psycopg.Connection) -> dict[str, Any]:
    processes = inspecting.workers(connection)
    alive = [one for one in processes if one["silent_seconds"] < ALIVE_SECONDS]
    workers = [one for one in alive if one["kind"] == "worker"]
    return {
        "at": utc_now(),
        "workers": len(workers),
        "reconcilers": len(alive) - len(workers),
        "silent": len(processes) - len(alive),
        "slots": sum(one["slots"] for one in workers),
        "in_use": sum(one["in_use"] for one in workers),
        "endings_of_last_minute": watching.endings(connection, LAST),
        "oldest_ready": watching.oldest_ready(connection),
        "lanes": inspecting.lanes(connection),
        "running": [asdict(one) for one in watching.longest_running(connection, MOST_JOBS)],
    }


def _picture(seen: dict[str, Any]) -> Group:
    silent = f"   {seen['silent']} silent" if seen["silent"] else ""
    head = (
        f"{seen['at']:%H:%M:%S} UTC   {counted(seen['workers'], 'worker')}, {seen['in_use']} of {seen['slots']} slots "
        f"in use   {counted(seen['reconcilers'], 'reconciler')}{silent}"
    )
    ends = ", ".join(f"{count} {what}" for what, count in seen["endings_of_last_minute"].items())
    oldest = seen["oldest_ready"]
    waits = f"   oldest ready task: {oldest.total_seconds():.0f} s" if oldest is not None else ""
    busy = [lane for lane in seen["lanes"] if lane["running"] + lane["ready"] + lane["waiting"] + lane["parked"]]
    stopped = [lane for lane in seen["lanes"] if lane not in busy and (lane["paused"] or lane["cooldown_until"])]
    shown = held_back(busy + stopped)
    jobs = [
        {
            "id": one["job_id"],
            "lane": one["lane"],
            "tenant": one["tenant"],
            "for": f"{max((seen['at'] - one['since']).total_seconds(), 0):.0f} s",
            "progress": _bar(one["progress"]),
            "found": _found(one),
        }
        for one in seen["running"]
    ]
    parts = [Text(head), Text(printable(f"slices that ended in the last minute: {ends or 'none'}{waits}"))]
    if seen["lanes"] and not shown:
        parts.append(Text(f"{len(seen['lanes'])} lanes, all idle"))
    tables = [make_table("Lanes", shown, LANES)] if shown else []
    tables += [make_table("Running", jobs, ["id", "lane", "tenant", "for", "progress", "found"])] if jobs else []
    return Group(*parts, *tables)


def _found(one: dict[str, Any]) -> str:
    return "" if one["target"] is None else f"{one['results']}/{one['target']}"


def _bar(progress: float | None) -> str:
    if progress is None:
        return ""
    full = round(BAR * min(max(progress, 0), 100) / 100)
    return f"{'█' * full}{'░' * (BAR - full)} {progress:.0f} %"
