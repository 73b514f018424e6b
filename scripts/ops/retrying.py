"""Commands that let jobs run again, and take that back."""

from typing import Annotated

import typer

from scripts.ops.filters import selecting, span
from scripts.ops.frame import NOT_FOUND, AsJson, DryRun, Yes, actor, confirm, database, fail
from scripts.ops.telling import tell_outcome, tell_preview
from scripts.tables import console, counted, show_json
from worker.operating import retrying
from worker.operating.selection import Selection
from worker.operating.undoing import NothingToUndo, undo_retry


@selecting
def retry(
    selection: Selection,
    from_start: Annotated[
        bool,
        typer.Option("--from-start", help="Delete results, pages and checkpoint first; cannot be undone."),
    ] = False,
    spread: Annotated[
        str | None, typer.Option(help="Make them due one after the other over this time, e.g. 10m.")
    ] = None,
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Let jobs that ended go on, or begin again. Results are kept, and what was spent before does not count.

    Examples: ./run ops retry 3f0c...; ./run ops retry --status error --error-like "HTTP 500" --since 6h --spread 10m;
    ./run ops retry 3f0c... --from-start. Jobs that run are left alone.
    """
    over = span("--spread", spread) if spread is not None else None
    with database() as connection:
        preview = retrying.preview_retry(connection, selection)
        if dry_run:
            tell_preview(preview, "deleted from and set back" if from_start else "set back", as_json)
            return
        confirm(len(preview.rows), "set back, and their results deleted" if from_start else "set back", yes)
        done = retrying.retry(connection, selection, actor=actor(), from_start=from_start, spread=over)
    if as_json:
        told = {"retried": sorted(done.done), "skipped": done.skipped, "batch": done.batch or None, "more": done.more}
        show_json(told | ({"creators_dropped": done.creators_dropped} if from_start else {}))
    else:
        tell_outcome(done, "pending again", list(selection.ids))
        if from_start and done.done:
            console.print(
                f"deleted: {counted(done.creators_dropped, 'creator')}; what was counted against users' plans stays "
                "counted, and credits stay spent",
                soft_wrap=True,
            )
        elif done.done:
            console.print("to take it back: ./run ops undo")
    if not done.done:
        raise typer.Exit(NOT_FOUND)


def undo(
    batch: Annotated[
        str | None, typer.Argument(help="Which retry, as its --json says; the last where none is.")
    ] = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Take the last retry back, for jobs that have not started since. Example: ./run ops undo --dry-run."""
    with database() as connection:
        try:
            done = undo_retry(connection, actor=actor(), batch=batch, dry_run=dry_run)
        except NothingToUndo as error:
            fail(str(error), NOT_FOUND)
    if as_json:
        show_json({"dry_run": dry_run, "undone": sorted(done.done), "skipped": done.skipped, "batch": done.batch})
    else:
        tell_outcome(done, "would be what it was" if dry_run else "as it was", [])
    if not done.done:
        raise typer.Exit(NOT_FOUND)
