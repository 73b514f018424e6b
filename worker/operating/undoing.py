"""Taking the last retry back, as far as nothing came of it yet."""

from psycopg import Connection

from db.queries.actions import last_batch, parts_of
from db.queries.selecting import choose
from db.queries.undoing import put_as_it_was
from worker.operating.actions import note
from worker.operating.outcome import Outcome
from worker.operating.selection import MOST, Selection


class NothingToUndo(LookupError):
    """Raised when there is no retry to take back; the text says which, and why."""


def undo_retry(connection: Connection, *, actor: str, batch: str | None = None, dry_run: bool = False) -> Outcome:
    """Give the jobs of the last retry, or of the one that is named, the words, counters and times that they had.

    Only those that have not started since and that nobody has changed; others are left alone and said so. A retry from
    the start deleted what cannot be brought back, so it is not undone. The newest retry goes first; one that was undone
    is passed over. With ``dry_run`` nothing is written. The connection is in autocommit: each part of the retry is a
    transaction, and its event ``admin_action`` comes with the first.

    Raises:
        NothingToUndo: there is no such retry, or it cannot be taken back.
    """
    named = batch or last_batch(connection, "retry")
    parts = parts_of(connection, "retry", named) if named else []
    if named is None or not parts:
        told = f"there is no retry {batch!r}; expected the batch that a retry named"
        raise NothingToUndo(told if batch else "there is no retry to undo")
    if any(part["from_start"] for part in parts):
        raise NothingToUndo(
            f"the retry {named} began from the start: what it deleted cannot be brought back; cancel its jobs instead"
        )
    outcome = Outcome(batch=named)
    for place, part in enumerate(parts):
        with connection.transaction(force_rollback=dry_run):
            done = put_as_it_was(connection, part["job_table"], part["rows"])
            if done and not dry_run:
                note(connection, actor, "undo", batch=named, part=place, job_table=part["job_table"], jobs=len(done))
        outcome.done += done
        left = [row["id"] for row in part["rows"] if row["id"] not in set(done)]
        outcome.skipped |= _why(connection, part["job_table"], left)
    return outcome


def _why(connection: Connection, job_table: str, ids: list[str]) -> dict[str, str]:
    if not ids:
        return {}
    rows = {row.id: row for row in choose(connection, job_table, Selection(ids=ids).parameters(), None, MOST)}
    told = {}
    for job_id in ids:
        row = rows.get(job_id)
        if row is None:
            told[job_id] = "it is gone"
        elif row.state == "leased":
            told[job_id] = "it is running"
        elif row.status in ("pending", "queued"):
            told[job_id] = "it was changed since, or somebody holds it at this moment"
        else:
            told[job_id] = f"it is {row.status} since"
    return told
