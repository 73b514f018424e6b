"""Adopts the older, one-table layout of users: backup, move batch by batch, and verification of the whole."""

import time
from dataclasses import replace
from datetime import datetime
from typing import Final

from psycopg import Connection
from psycopg.errors import DuplicateTable
from psycopg.sql import Identifier

from actors.user_profiles import judging
from actors.user_profiles.judging import LARGEST_ROW
from actors.user_profiles.layout import Layout, Unusable
from actors.user_profiles.looking import look
from actors.user_profiles.moving import BATCH_BYTES, move_batch
from actors.user_profiles.report import LISTED, Adoption, Progress
from actors.user_profiles.verifying import Comparison, compare
from db.queries.user_profiles import backups, older_table, outcomes

MOVABLE: Final = (judging.MOVED, judging.COMPLETED)


def adopt(
    connection: Connection, layout: Layout, now: datetime, rows: int, progress: Progress, name: str | None = None
) -> Adoption:
    """Move all rows that can be moved, ``rows`` in a transaction, and verify the whole.

    An unfinished run is continued from its backup. Where nothing would be moved no backup is made. Raises `Unusable`
    when there is a table of the backup's name, `Mismatch` when a batch is not stored as it should be.
    """
    began = time.monotonic()
    backup, continued = _unfinished(connection, name)
    if backup is None:
        told = look(connection, layout, rows, progress, until=MOVABLE)
        if not told.results.keys() & set(MOVABLE):
            return told
        progress("backup", 0, 0)
        backup, continued = _make_backup(connection, layout, name or f"user_profiles_backup_{now:%Y%m%d_%H%M%S}")
    told = Adoption(dry_run=False, backup=backup, continued=continued, absent_columns=list(layout.absent))
    # The backup is what is moved: after a run that was cut off, the older table may have other columns by now.
    columns = older_table.columns_of(connection, f"worker.{backup}")
    layout = replace(layout, columns=columns)
    after: int | None
    after, told.rows = outcomes.next_row(connection, backup)
    while after is not None:
        progress("move", after, told.rows)
        after = move_batch(connection, backup, layout, after, rows)
    whole = _verify(connection, backup, layout, rows, told.rows, progress)
    told.verified, told.changed_since = whole.rows, whole.changed_since
    told.checksums, told.differences = whole.checksums, whole.named
    told.results = outcomes.count_results(connection, backup)
    table = Identifier("worker", backup)
    told.unknown_columns = older_table.values_in(
        connection, table, [name for name in layout.unknown if name in columns]
    )
    told.reasons = outcomes.count_reasons(connection, backup)
    told.skipped = [
        {"row": number, "user_id": user_id, "reason": reason}
        for number, user_id, reason in outcomes.skipped(connection, backup, LISTED)
    ]
    if told.good:
        backups.finish(connection, backup)
    told.seconds = time.monotonic() - began
    return told


def _unfinished(connection: Connection, name: str | None) -> tuple[str | None, bool]:
    """Name of the backup of a run that was cut off. Raises `Unusable` when another one is asked for."""
    found = backups.unfinished_backup(connection)
    if found and name not in (None, found):
        raise Unusable(
            f"worker.{found} is the backup of a run that was cut off; continue it first, without --backup {name}"
        )
    return found, found is not None


def _make_backup(connection: Connection, layout: Layout, name: str) -> tuple[str, bool]:
    """Name of the backup, and whether another run was faster and has made one."""
    try:
        with connection.transaction():
            backups.one_at_a_time(connection)
            older_table.demand_all_rows(connection)
            if found := backups.unfinished_backup(connection):
                return found, True
            backups.make_backup(connection, name, layout.columns)
    except DuplicateTable:
        raise Unusable(
            f"there is a table worker.{name}, and no backup is overwritten; give another name by --backup, or rename it"
        ) from None
    return name, False


def _verify(
    connection: Connection, backup: str, layout: Layout, rows: int, total: int, progress: Progress
) -> Comparison:
    """Compare all that the move made with the backup, which is read again from its beginning."""
    whole, after = Comparison(), 0
    while sources := backups.read_backup(connection, backup, layout.known, after, LARGEST_ROW, rows, BATCH_BYTES):
        progress("verify", after, total)
        results = outcomes.results_of(connection, backup, after + 1, sources[-1].number)
        made = {number: tables for number, (_, tables) in results.items() if tables}
        readable, reasons = judging.read_sources([one for one in sources if one.number in made], layout.rules)
        for number, reason in reasons.items():
            whole.differ(f"row {number} was moved and cannot be read any more: {reason}")
        if missed := len(sources) - len(results):
            whole.differ(f"{missed} of the rows {after + 1} to {sources[-1].number} were not looked at")
        compare(connection, [(one, made[one.number]) for one in readable], whole, since=True)
        after = sources[-1].number
    progress("verify", total, total)
    return whole
