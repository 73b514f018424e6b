"""The command that shows one job."""

from typing import Annotated, Any

import typer

from db.queries import background_jobs, explaining, inspecting, search_jobs
from scripts.ops.frame import NOT_FOUND, AsJson, database, fail, job_ids
from scripts.tables import console, show_json, show_table


def show(job: Annotated[str, typer.Argument(help="The job's id.")], as_json: AsJson = False) -> None:
    """Show one job of any table: its row, its task, every page and attempt. Example: ./run ops show 3f0c... ."""
    (job_id,) = job_ids([job])
    with database() as connection:
        row = (
            inspecting.job_row(connection, job_id)
            or background_jobs.job_row(connection, job_id)
            or search_jobs.job_row(connection, job_id)
        )
        if row is None:
            fail(f"there is no job {job_id}", NOT_FOUND)
        task = row.pop("task")
        pages = inspecting.pages_of(connection, task["id"]) if task else []
        attempts = inspecting.attempts_of(connection, task["id"]) if task else []
        spends = explaining.spend_of(connection, job_id)
    if as_json:
        show_json({"job": row, "task": task, "pages": pages, "attempts": attempts, "spend": spends})
        return
    _show_fields("Job", row)
    if task:
        _show_fields("Task", task)
    else:
        console.print("Task: none yet (no reconciler has seen the row)\n")
    show_table(
        "Pages",
        pages,
        ["seq", "provider", "word", "items", "stored", "duplicates", "filtered", "unreadable", "credits"],
    )
    if spends:
        show_table("Spend", spends, ["provider", "calls", "credits"])
    show_table("Attempts", attempts, ["epoch", "outcome", "reason", "detail", "started_at", "ended_at"])


def _show_fields(title: str, fields: dict[str, Any]) -> None:
    rows = [{"field": name, "value": value} for name, value in fields.items() if value is not None]
    show_table(title, rows, ["field", "value"])
