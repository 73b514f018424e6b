"""Commands that look at the whole, and that say why: status, explain, doctor."""

from dataclasses import asdict
from typing import Annotated, Any

import redis
import typer

from db.queries import inspecting, search_jobs
from scripts.doctor import report
from scripts.doctor.examination import diagnose, exit_code
from scripts.ops.explanation import show_explanation
from scripts.ops.frame import NOT_FOUND, AsJson, database, fail, job_ids, redis_client
from scripts.tables import console, show_json, show_table
from worker.explaining import explanation
from worker.limits.overview import open_breakers
from worker.settings import load_settings


def status(as_json: AsJson = False) -> None:
    """Show lanes, processes and how many jobs stand where. Example: ./run ops status."""
    with database() as connection:
        jobs = inspecting.job_counts(connection, "scraping_jobs")
        background = inspecting.job_counts(connection, "background_jobs")
        searches = search_jobs.job_counts(connection)
        lanes = inspecting.lanes(connection)
        processes = inspecting.workers(connection)
    breakers = _breakers()
    if as_json:
        counted = {"jobs": jobs, "background_jobs": background, "search_jobs": searches}
        show_json({**counted, "lanes": lanes, "processes": processes, "breakers": breakers})
        return
    for title, counts in (("Scraping jobs", jobs), ("Background jobs", background), ("Searches", searches)):
        told = ", ".join(f"{count} {name}" for name, count in counts.items())
        console.print(f"{title}: {told or 'none'}", markup=False)
    for lane in lanes:
        lane["held back"] = lane["pause_reason"] if lane["paused"] else lane["cooldown_reason"]
    show_table("Lanes", lanes, ["lane", "running", "max_running", "ready", "waiting", "parked", "paused", "held back"])
    show_table("Processes", processes, ["kind", "id", "host", "pid", "slots", "in_use", "silent_seconds"])
    if breakers:
        show_table("Paused providers", breakers, ["provider", "endpoint", "reason", "detail", "since", "next_probe"])


def _breakers() -> list[dict[str, Any]]:
    """Providers and endpoints that are paused; none where Redis is away, which `doctor` tells."""
    try:
        return [asdict(breaker) for breaker in open_breakers(redis_client())]
    except redis.RedisError:
        return []


def explain(job: Annotated[str, typer.Argument(help="The job's id, of any table.")], as_json: AsJson = False) -> None:
    """Say why a job is not running now, and all that happened to it. Example: ./run ops explain 3f0c... ."""
    (job_id,) = job_ids([job])
    with database() as connection:
        told = explanation.explain(connection, redis_client(), job_id)
    if told is None:
        fail(f"there is no job {job_id}", NOT_FOUND)
    if as_json:
        show_json(told.to_json())
    else:
        show_explanation(told)


def doctor(as_json: AsJson = False) -> None:
    """Find what is wrong with the deployment; exit code 1 when anything is. Example: ./run ops doctor."""
    # An old or missing schema is a finding, so nothing is asked of it here.
    with database(any_schema=True) as connection:
        findings = diagnose(connection, redis_client(), load_settings())
    if as_json:
        show_json([asdict(finding) for finding in findings])
    else:
        report.show(findings)
    raise typer.Exit(exit_code(findings))
