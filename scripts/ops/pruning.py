"""The command that makes room now."""

from dataclasses import asdict
from datetime import timedelta
from typing import Any

import typer

from db.queries.prunable import count_prunable
from scripts.ops.frame import NOT_FOUND, AsJson, DryRun, actor, database
from scripts.tables import show_json, show_table
from worker.operating.actions import note
from worker.pruning import KEPT_ATTEMPTS
from worker.pruning import prune as prune_now
from worker.settings import load_settings

BATCH = 500
MOST_BATCHES = 20_000
COUNTED = 1_000_000
"""Rows of a table that are counted at most; of more it is said that there are so many."""


def prune(dry_run: DryRun = False, as_json: AsJson = False) -> None:
    """Delete now what the engine's own tables need not keep; a reconciler does so each minute, some batches at a time.

    The ages are settings: TRAWLER_KEEP_CLOSED_DAYS and TRAWLER_KEEP_ATTEMPTS_DAYS. The application's tables are not
    touched. Example: ./run ops prune --dry-run.
    """
    settings = load_settings()
    kept, attempts = timedelta(days=settings.keep_closed_days), timedelta(days=settings.keep_attempts_days)
    ages: dict[str, Any] = {"closed_after": kept, "attempts_after": attempts}
    ages |= {"keys_after": kept, "profiles_after": kept}
    with database() as connection:
        if dry_run:
            gone = count_prunable(connection, **ages, keep_attempts=KEPT_ATTEMPTS, most=COUNTED)
        else:
            gone = asdict(prune_now(connection, **ages, batch=BATCH, most_batches=MOST_BATCHES))
            if any(gone.values()):
                note(connection, actor(), "prune", rows=gone)
    if as_json:
        show_json({"dry_run": dry_run, "rows": gone})
    else:
        title = "Would be deleted" if dry_run else "Deleted"
        show_table(title, [{"table": name, "rows": count} for name, count in gone.items()], ["table", "rows"])
    if not any(gone.values()):
        raise typer.Exit(NOT_FOUND)
