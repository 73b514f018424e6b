"""Letting jobs that ended go on, or begin again."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from itertools import groupby
from operator import attrgetter

from psycopg import Connection

from db.queries import retrying
from db.queries.dropping import drop_stored
from db.queries.lanes import server_time
from db.queries.retrying import RETRIED, SetBack
from db.queries.selecting import Chosen, choose
from worker.operating.actions import note
from worker.operating.choosing import candidates
from worker.operating.outcome import Outcome, Preview
from worker.operating.selection import MOST, Selection

BATCH = 1_000
"""Jobs of one transaction."""

CANCELLED = "cancelled"
"""The application's own word for a job that it gave up: it is retried only where an operator means exactly that."""

RUNNING = "it is running"
HELD = "somebody else holds its row or task at this moment; try again"
ONLY = {
    "scraping_jobs": "only jobs that ended as error or timeout are retried",
    "background_jobs": "only background jobs that failed are retried",
    "search_jobs": "only searches that ended as error or timeout are retried",
}


def preview_retry(connection: Connection, selection: Selection) -> Preview:
    """What `retry` would set back at this moment, and why it would leave others alone. Reads only."""
    found = candidates(connection, selection, {table: _words(selection, table) for table in selection.tables})
    preview = Preview(rows=[], skipped=found.unknown, more=found.more)
    for row in found.rows:
        why = _why_not(row, selection)
        if why is None:
            preview.rows.append(row)
        else:
            preview.skipped[row.id] = why
    return preview


def retry(
    connection: Connection,
    selection: Selection,
    *,
    actor: str,
    from_start: bool = False,
    spread: timedelta | None = None,
) -> Outcome:
    """Set jobs that ended back to ``pending``, so that they run again whatever they spent before; give what was done.

    They keep their results and go on at their checkpoints. ``from_start`` deletes results, pages, seen creators and
    checkpoint first, and sets the counters to nothing; what was counted against a user's plan stays counted, credits
    stay spent. ``spread`` makes them due one after the other, evenly over that time, oldest first.

    A job that is running, or whose row somebody holds, is left alone and said so. The connection is in autocommit: each
    thousand jobs are a transaction, with its event ``admin_action``, which holds what `undo` needs.
    """
    preview = preview_retry(connection, selection)
    outcome = Outcome(batch="", skipped=dict(preview.skipped), more=preview.more)
    start = server_time(connection)
    step = spread / len(preview.rows) if spread and preview.rows else None
    due = {row.id: start + step * place for place, row in enumerate(preview.rows)} if step else {}
    for job_table, rows in _batches(preview.rows):
        ids = [row.id for row in rows]
        times = [due[job_id] for job_id in ids] if due else None
        with connection.transaction():
            back = _set_back(connection, job_table, ids, _words(selection, job_table), times, from_start)
            if back:
                told = {"job_table": job_table, "jobs": len(back), "from_start": from_start}
                told |= {"spread_seconds": spread.total_seconds() if spread else None}
                told |= {"rows": [asdict(one) for one in back]}
                outcome.batch = note(connection, actor, "retry", batch=outcome.batch, part=len(outcome.done), **told)
        outcome.done += [one.id for one in back]
        outcome.creators_dropped += sum(one.results for one in back) if from_start else 0
        outcome.skipped |= _left(connection, selection, job_table, set(ids) - {one.id for one in back})
    return outcome


def _set_back(
    connection: Connection,
    job_table: str,
    ids: Sequence[str],
    words: Sequence[str],
    due: Sequence[datetime] | None,
    from_start: bool,
) -> list[SetBack]:
    back = retrying.set_back(connection, job_table, ids, words, due=due, from_start=from_start)
    again = [one.id for one in back]
    if from_start and again:
        drop_stored(connection, job_table, again)
    if due is not None and again:
        at = dict(zip(ids, due, strict=True))
        retrying.adopt_for(connection, job_table, again, [at[job_id] for job_id in again])
    return back


def _batches(rows: Sequence[Chosen]) -> Iterator[tuple[str, list[Chosen]]]:
    by_table = sorted(rows, key=attrgetter("job_table"))
    for job_table, group in groupby(by_table, key=attrgetter("job_table")):
        of_table = list(group)
        for first in range(0, len(of_table), BATCH):
            yield job_table, of_table[first : first + BATCH]


def _words(selection: Selection, job_table: str) -> list[str]:
    meant = bool(selection.ids) or selection.status == CANCELLED
    return [*RETRIED[job_table], *([CANCELLED] if meant else [])]


def _why_not(row: Chosen, selection: Selection) -> str | None:
    if row.state == "leased":
        return RUNNING
    if row.status not in _words(selection, row.job_table):
        return f"it is {row.status}; {ONLY[row.job_table]}"
    return None


def _left(connection: Connection, selection: Selection, job_table: str, ids: set[str]) -> dict[str, str]:
    """Why jobs that should have been set back were not: looked at again, as they changed since."""
    if not ids:
        return {}
    meant = {**Selection().parameters(), "ids": sorted(ids)}
    rows = {row.id: row for row in choose(connection, job_table, meant, None, MOST)}
    gone = "there is no such job"
    return {job_id: (_why_not(rows[job_id], selection) or HELD) if job_id in rows else gone for job_id in sorted(ids)}
