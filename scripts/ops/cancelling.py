"""The command that stops jobs."""

from typing import Annotated

import typer

from scripts.ops.filters import selecting
from scripts.ops.frame import NOT_FOUND, AsJson, DryRun, Yes, actor, confirm, database
from scripts.ops.telling import tell_outcome, tell_preview
from scripts.tables import show_json
from worker.operating import cancelling
from worker.operating.selection import Selection


@selecting
def cancel(
    selection: Selection,
    reason: Annotated[str, typer.Option(help="Goes into the job's error text.")],
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Stop jobs; what they have stored is kept. Those that run are asked to, and end at their next page.

    Examples: ./run ops cancel 3f0c... --reason "wrong keyword"; ./run ops cancel --campaign 77ab... --reason budget.
    """
    with database() as connection:
        preview = cancelling.preview_cancel(connection, selection)
        if dry_run:
            tell_preview(preview, "stopped", as_json)
            return
        confirm(len(preview.rows), "stopped", yes)
        done = cancelling.cancel(connection, selection, actor=actor(), reason=reason)
    if as_json:
        now = [job_id for job_id in done.done if job_id not in done.notes]
        told = {"cancelled": now, "asked": list(done.notes), "skipped": done.skipped, "batch": done.batch or None}
        show_json(told | {"more": done.more})
    else:
        tell_outcome(done, "cancelled at once", list(selection.ids))
    if not done.done:
        raise typer.Exit(NOT_FOUND)
