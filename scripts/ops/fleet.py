"""Commands that show the fleet: status, lanes, workers."""

from dataclasses import asdict
from typing import Any

from db.queries import inspecting, search_jobs
from scripts.ops.frame import AsJson, database, redis_client
from scripts.tables import console, show_json, show_table
from worker.limits.overview import open_breakers

LANES = ["lane", "running", "max_running", "ready", "waiting", "parked", "held back"]
PROCESSES = ["kind", "id", "host", "pid", "slots", "in_use", "silent_seconds"]


def status(as_json: AsJson = False) -> None:
    """Show lanes, processes and how many jobs stand where. Example: ./run ops status."""
    with database() as connection:
        jobs = inspecting.job_counts(connection, "scraping_jobs")
        background = inspecting.job_counts(connection, "background_jobs")
        searches = search_jobs.job_counts(connection)
        found = inspecting.lanes(connection)
        processes = inspecting.workers(connection)
    breakers = _breakers()
    if as_json:
        counted = {"jobs": jobs, "background_jobs": background, "search_jobs": searches}
        show_json({**counted, "lanes": found, "processes": processes, "breakers": breakers})
        return
    for title, counts in (("Scraping jobs", jobs), ("Background jobs", background), ("Searches", searches)):
        told = ", ".join(f"{count} {name}" for name, count in counts.items())
        console.print(f"{title}: {told or 'none'}", markup=False)
    show_table("Lanes", held_back(found), LANES)
    show_table("Processes", processes, PROCESSES)
    if breakers:
        show_table("Paused providers", breakers, ["provider", "endpoint", "reason", "detail", "since", "next_probe"])


def lanes(as_json: AsJson = False) -> None:
    """Show every lane: what runs and waits, and what holds it back. Example: ./run ops lanes."""
    with database() as connection:
        found = inspecting.lanes(connection)
    if as_json:
        show_json(found)
        return
    show_table("Lanes", held_back(found), LANES)
    if until := [lane for lane in found if lane["cooldown_until"]]:
        show_table("Resting", until, ["lane", "cooldown_until", "cooldown_reason"])


def workers(as_json: AsJson = False) -> None:
    """Show every process of the fleet. Example: ./run ops workers."""
    with database() as connection:
        processes = inspecting.workers(connection)
    if as_json:
        show_json(processes)
        return
    shown = [
        {
            **{name: one[name] for name in ("kind", "id", "host", "pid", "release")},
            "slots": f"{one['in_use']}/{one['slots']}",
            "silent": f"{one['silent_seconds']:g} s",
            "memory": "" if one["rss_mb"] is None else f"{one['rss_mb']} MB",
        }
        for one in processes
    ]
    show_table("Processes", shown, ["kind", "id", "host", "pid", "slots", "silent", "memory", "release"])
    if polling := [one["id"] for one in processes if one["polling"]]:
        console.print(f"without Redis, and so polling Postgres: {', '.join(polling)}", soft_wrap=True)


def held_back(lanes: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The lanes with why they are held back, for a table."""
    return [lane | {"held back": _why(lane)} for lane in lanes]


def _why(lane: dict[str, Any]) -> str | None:
    if lane["paused"]:
        return f"paused: {lane['pause_reason'] or 'no reason given'}"
    return f"rests: {lane['cooldown_reason'] or 'no reason given'}" if lane["cooldown_until"] else None


def _breakers() -> list[dict[str, Any]]:
    """Providers and endpoints that are paused; none where Redis is away, which `doctor` tells."""
    import redis

    try:
        return [asdict(breaker) for breaker in open_breakers(redis_client())]
    except redis.RedisError:
        return []
