"""Stopping jobs on purpose."""

from collections.abc import Sequence

from psycopg import Connection
from psycopg.errors import DeadlockDetected, LockNotAvailable

from db.queries.cancelling import cancel_many
from db.queries.selecting import Chosen
from worker.operating.actions import note
from worker.operating.choosing import UNKNOWN, candidates
from worker.operating.outcome import Outcome, Preview
from worker.operating.selection import Selection

BATCH = 500
"""Jobs of one transaction."""

OPEN = ("pending", "queued", "processing")
"""Words of rows that can be stopped."""

ASKED = {
    "scraping_jobs": "asked to stop at its next page",
    "search_jobs": "asked to stop at its next page",
    "background_jobs": "asked to stop when its handler returns, which is not interrupted",
}
HELD = "somebody else holds its row; try again"


def preview_cancel(connection: Connection, selection: Selection) -> Preview:
    """What `cancel` would stop at this moment, running jobs among them, and why not others. Reads only."""
    found = candidates(connection, selection, dict.fromkeys(selection.tables, OPEN))
    preview = Preview(rows=[], skipped=found.unknown, more=found.more)
    for row in found.rows:
        if row.status in OPEN:
            preview.rows.append(row)
        else:
            preview.skipped[row.id] = f"it is {row.status}; only jobs that are pending or processing are cancelled"
    return preview


def cancel(connection: Connection, selection: Selection, *, actor: str, reason: str) -> Outcome:
    """Stop jobs; what they have stored is kept. Those that nobody runs end at once, those that run are asked to.

    ``notes`` of the outcome names those that were asked. The connection is in autocommit: each five hundred jobs are a
    transaction, with its event ``admin_action``. A row that somebody holds for a second is left alone.
    """
    preview = preview_cancel(connection, selection)
    outcome = Outcome(batch="", skipped=dict(preview.skipped), more=preview.more)
    tables = {row.id: row.job_table for row in preview.rows}
    for first in range(0, len(preview.rows), BATCH):
        before = _cancel(connection, preview.rows[first : first + BATCH], reason, actor, outcome)
        outcome.notes |= {job_id: ASKED[tables[job_id]] for job_id, state in before.items() if state == "leased"}
    return outcome


def _cancel(
    connection: Connection, rows: Sequence[Chosen], reason: str, actor: str, outcome: Outcome
) -> dict[str, str]:
    try:
        with connection.transaction():
            connection.execute("SET LOCAL lock_timeout = '1s'")
            before = cancel_many(connection, [row.id for row in rows], reason)
            if before:
                asked = [job_id for job_id, state in before.items() if state == "leased"]
                told = {"reason": reason, "jobs": list(before), "asked": asked}
                batch = note(connection, actor, "cancel", batch=outcome.batch, part=len(outcome.done), **told)
    except (LockNotAvailable, DeadlockDetected):
        if len(rows) == 1:
            outcome.skipped[rows[0].id] = HELD
            return {}
        # One of them is held: in halves, so that the others are stopped all the same.
        half = len(rows) // 2
        return {
            **_cancel(connection, rows[:half], reason, actor, outcome),
            **_cancel(connection, rows[half:], reason, actor, outcome),
        }
    if before:
        outcome.batch = batch
    outcome.done += [row.id for row in rows if row.id in before]
    outcome.skipped |= {row.id: _why(connection, row) for row in rows if row.id not in before}
    return before


def _why(connection: Connection, row: Chosen) -> str:
    found = candidates(connection, Selection(ids=[row.id]), {})
    if not found.rows:
        return UNKNOWN
    (now,) = found.rows[:1]
    if now.status not in OPEN:
        return f"it is {now.status}; only jobs that are pending or processing are cancelled"
    return f"it is {now.status}, but no open task works for it; see ./run ops explain {row.id}"
