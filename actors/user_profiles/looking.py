"""What a run would do to the older table as it is now, row by row; nothing is written."""

import time
from collections import Counter
from collections.abc import Collection, Generator
from contextlib import closing

from psycopg import Connection
from psycopg.sql import Identifier

from actors.user_profiles import judging
from actors.user_profiles.judging import LARGEST_ROW
from actors.user_profiles.layout import Layout
from actors.user_profiles.report import LISTED, Adoption, Progress
from db.queries.user_profiles import backups, five_tables, older_table


def foresee(connection: Connection, layout: Layout, rows: int, progress: Progress) -> Adoption:
    """Say what a run would do to the older table as it is now; nothing is written.

    A backup that the report names is that of a run that was cut off: the next run moves its rows, and no later ones.
    """
    told = look(connection, layout, rows, progress, until=())
    told.dry_run = True
    told.backup = backups.unfinished_backup(connection)
    told.continued = told.backup is not None
    return told


def look(connection: Connection, layout: Layout, rows: int, progress: Progress, until: Collection[str]) -> Adoption:
    """What a run would do to the rows of the older table, up to the first with one of the results ``until``."""
    began, told = time.monotonic(), Adoption(dry_run=False, absent_columns=list(layout.absent))
    results, reasons = Counter[str](), Counter[str]()
    with closing(_judged(connection, layout, rows)) as looking:
        for number, user_id, result, reason in looking:
            results[result] += 1
            told.rows += 1
            if reason:
                reasons[reason.partition(":")[0]] += 1
                if len(told.skipped) < LISTED:
                    told.skipped.append({"row": number, "user_id": user_id, "reason": reason})
            if told.rows % rows == 0:
                progress("look", told.rows, 0)
            if result in until:
                break
    told.results, told.reasons = dict(results), dict(reasons)
    if not until or not results.keys() & set(until):
        told.unknown_columns = older_table.values_in(connection, Identifier("public", "user_profiles"), layout.unknown)
    told.seconds = time.monotonic() - began
    return told


def _judged(
    connection: Connection, layout: Layout, rows: int
) -> Generator[tuple[int, str | None, str, str | None], None, None]:
    """Number, Clerk id, result and reason of each row of the older table."""
    with connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        older_table.demand_all_rows(connection)
        for batch in older_table.read_live(connection, layout.columns, layout.known, LARGEST_ROW, rows):
            readable, reasons = judging.read_sources(batch, layout.rules)
            reasons |= judging.taken_customers(connection, readable)
            users = five_tables.existing(connection, [one.user_id for one in readable], lock=False)
            for source in batch:
                if source.number in reasons:
                    user_id = None if source.document is None else source.document["user_id"]
                    shown = None if user_id is None else str(user_id)[:100]
                    yield source.number, shown, judging.SKIPPED, reasons[source.number]
            for one in readable:
                if one.number not in reasons:
                    yield one.number, one.user_id, judging.verdict(judging.missing_of(one, users)), None
