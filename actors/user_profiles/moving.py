"""Moves the older rows of a backup into the five tables, a batch in a transaction, and verifies each."""

from collections.abc import Sequence
from typing import Final

from psycopg import Connection, errors

from actors.user_profiles.fields import FIELDS, Row
from actors.user_profiles.judging import (
    LARGEST_ROW,
    SKIPPED,
    Readable,
    missing_of,
    read_sources,
    taken_customers,
    verdict,
)
from actors.user_profiles.layout import Layout
from actors.user_profiles.verifying import Comparison, compare
from db.queries.user_profiles import backups, five_tables, older_table, outcomes
from db.queries.user_profiles.five_tables import TABLES

BATCH_BYTES: Final = 4_000_000
"""Most text of the rows of one batch, so that large rows do not fill the memory."""

_REFUSED: Final = (errors.IntegrityError, errors.DataError, errors.ProgramLimitExceeded, errors.RaiseException)
"""What Postgres says of a row that the tables do not take: their constraints are the application's."""

Made = dict[int, list[str]]


def move_batch(connection: Connection, backup: str, layout: Layout, after: int, rows: int) -> int | None:
    """Move the rows of a backup beyond a number, in one transaction; give the last one's number, None at the end.

    A row that was looked at before is left alone, so a batch that is done again does nothing. Raises `Mismatch` when
    what was written is not what the rows say; then nothing of the batch is.
    """
    with connection.transaction():
        backups.one_at_a_time(connection)
        older_table.demand_all_rows(connection)
        sources = backups.read_backup(connection, backup, layout.known, after, LARGEST_ROW, rows, BATCH_BYTES)
        if not sources:
            return None
        done = outcomes.results_of(connection, backup, sources[0].number, sources[-1].number)
        fresh = [one for one in sources if one.number not in done]
        readable, reasons = read_sources(fresh, layout.rules)
        reasons |= taken_customers(connection, readable)
        moving = [one for one in readable if one.number not in reasons]
        made, refused = _write(connection, moving)
        reasons |= refused
        batch = Comparison()
        compare(connection, [(one, made[one.number]) for one in moving if one.number in made], batch, since=False)
        batch.demand()
        results: list[tuple[int, str, str | None, Sequence[str]]]
        results = [(one.number, SKIPPED, reasons[one.number], ()) for one in fresh if one.number in reasons]
        results += [(number, verdict(tables), None, tables) for number, tables in made.items()]
        outcomes.put_results(connection, backup, results)
        return sources[-1].number


def _write(connection: Connection, moving: Sequence[Readable]) -> tuple[Made, dict[int, str]]:
    """Write the rows together; where the database refuses one of them, each by itself to find it."""
    try:
        with connection.transaction():
            return _insert(connection, moving), {}
    except _REFUSED:
        made: Made = {}
        refused: dict[int, str] = {}
    for one in moving:
        try:
            with connection.transaction():
                made |= _insert(connection, [one])
        except _REFUSED as error:
            refused[one.number] = _words(error)
    return made, refused


def _insert(connection: Connection, moving: Sequence[Readable]) -> Made:
    """Put in what is missing of each user; give the tables in which a row was made. What is there stays as it is."""
    identities = [{"user_id": one.user_id, **one.parts["users"]} for one in moving]
    new = set(five_tables.insert(connection, "users", FIELDS["users"], identities))
    # Whoever changes a user's rows does so under its lock, so nobody puts the same part in beside us.
    users = five_tables.existing(connection, [one.user_id for one in moving], lock=True)
    made: Made = {one.number: ["users"] if one.user_id in new else [] for one in moving}
    for table in TABLES[1:]:
        lacking = [one for one in moving if table in missing_of(one, users)]
        rows: list[Row] = [{**one.parts[table], "user_id": users[one.user_id].id} for one in lacking]
        five_tables.insert(connection, table, FIELDS[table], rows)
        for one in lacking:
            made[one.number].append(table)
    return made


def _words(error: errors.Error) -> str:
    """What Postgres said, without its detail: that repeats the row's values."""
    constraint = f" ({error.diag.constraint_name})" if error.diag.constraint_name else ""
    return f"the database refuses it: {error.diag.message_primary or type(error).__name__}{constraint}"[:300]
