"""Finds the jobs of a selection, in all tables that may hold some."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from psycopg import Connection

from db.queries.selecting import Chosen, choose
from worker.operating.selection import MOST, Selection

UNKNOWN = "there is no such job"
UNMEANT = "it is not one of those that the filter means"


@dataclass(frozen=True, slots=True)
class Found:
    """Jobs that are meant, oldest first; ids that are not among them, with why; whether there are more."""

    rows: list[Chosen]
    unknown: dict[str, str]
    more: bool


def candidates(connection: Connection, selection: Selection, words: Mapping[str, Sequence[str]]) -> Found:
    """The jobs that an action is about: those of the ids, or those of the filter whose status is one of the words.

    At most as many as the selection's limit, or as one action may change. Reads only.
    """
    most = selection.limit or MOST
    meant = selection.parameters()
    rows: list[Chosen] = []
    for table in selection.tables:
        # Of ids all are looked at, so that each that is left alone can be told why.
        rows += choose(connection, table, meant, None if selection.ids else words[table], most + 1)
    rows.sort(key=lambda row: (_utc(row.created_at), row.id))
    ids = {str(UUID(job_id)) for job_id in selection.ids}
    missing = ids - {row.id for row in rows}
    there = _there(connection, missing)
    unknown = {job_id: UNMEANT if job_id in there else UNKNOWN for job_id in sorted(missing)}
    return Found(rows[:most], unknown, len(rows) > most and selection.limit is None)


def _utc(moment: datetime) -> datetime:
    # The application's times lack a zone and are UTC; where one of its tables has zones, they still compare.
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _there(connection: Connection, ids: set[str]) -> set[str]:
    if not ids:
        return set()
    by_id = Selection(ids=sorted(ids))
    return {row.id for table in by_id.tables for row in choose(connection, table, by_id.parameters(), None, len(ids))}
