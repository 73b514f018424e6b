"""The command that lists jobs."""

from typing import Annotated

import typer

from db.queries.listing import list_jobs
from scripts.ops.filters import JobTable, filtering
from scripts.ops.frame import USAGE, AsJson, database, fail, job_ids
from scripts.tables import console, plain, show_json, show_table
from worker.operating.selection import Selection

COLUMNS = {
    JobTable.SCRAPING: ["platform", "status", "found"],
    JobTable.BACKGROUND: ["job_type", "status", "retries"],
    JobTable.SEARCHES: ["platform", "status", "found"],
}


@filtering
def list_(
    selection: Selection,
    table: Annotated[JobTable, typer.Option(help="Which jobs.")] = JobTable.SCRAPING,
    after: Annotated[str | None, typer.Option(help="The last id of the page before: go on from there.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000)] = 20,
    as_json: AsJson = False,
) -> None:
    """Show the newest jobs. Example: ./run ops list --status error --platform tiktok --since 6h --limit 50."""
    if table is JobTable.BACKGROUND and selection.platform is not None:
        fail("--platform: background jobs have none; leave it out", USAGE)
    if after is not None and table is not JobTable.SEARCHES:
        (after,) = job_ids([after])
    with database() as connection:
        jobs = list_jobs(connection, table, selection.parameters(), limit, after)
    if as_json:
        show_json(jobs)
        return
    last = jobs[-1]["id"] if len(jobs) == limit else None
    for job in jobs:
        job["why"] = job["error"] or job["reason"]
        if "found" in COLUMNS[table]:
            job["found"] = f"{job['results']}/{job['target']}"
    show_table("Jobs", jobs, ["id", *COLUMNS[table], "why"])
    if last is not None:
        console.print(f"older ones: --after {plain(last)}", soft_wrap=True)
