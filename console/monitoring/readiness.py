"""Whether jobs that are put in now would be done: what must hold, and which of it does not."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import psycopg
from psycopg.errors import InvalidSchemaName, UndefinedTable

from db.queries import metrics
from db.queries.metrics import ProcessGauges
from db.revision import newest_revision
from db.session import Pool
from worker.redaction import redact
from worker.settings import Settings

ANSWER_SECONDS: Final = 5.0
"""A database that has not answered by then is away."""
OK: Final = "ok"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that must hold. ``word`` is `OK` or a stable word; ``detail`` says what was seen, and what to do."""

    name: str
    word: str = OK
    detail: str = ""


async def checks(pool: Pool, settings: Settings) -> list[Check]:
    """Every check, in order; those that a missing database leaves unknown are left out. Raises nothing."""
    try:
        async with asyncio.timeout(ANSWER_SECONDS), pool.connection(timeout=ANSWER_SECONDS) as connection:
            try:
                revision = await metrics.revision(connection)
                processes = await metrics.process_gauges(connection)
            except (UndefinedTable, InvalidSchemaName):
                revision, processes = None, []
    except TimeoutError:
        return [Check("database", "unreachable", f"Postgres did not answer within {ANSWER_SECONDS:g} s; look at it")]
    except psycopg.Error as error:
        return [Check("database", "unreachable", f"{redact(str(error)).strip()}; start Postgres, or mend DATABASE_URL")]
    return [Check("database"), _schema(revision), _reconciler(processes, settings), _worker(processes, settings)]


def _schema(revision: str | None) -> Check:
    newest = newest_revision()
    if revision is not None and revision >= newest:
        return Check("schema")
    seen = f"the database is at revision {revision or 'none'}; expected {newest} or newer; run ./run migrate"
    return Check("schema", "older" if revision else "missing", seen)


def _reconciler(processes: Iterable[ProcessGauges], settings: Settings) -> Check:
    silent = newest_sign(processes, "reconciler")
    if silent is None:
        return Check("reconciler", "none", "there is no reconciler; start one: ./run reconciler")
    if silent > settings.ready_seconds:
        seen = f"no reconciler gave a sign of life for {silent:.0f} s, expected one each {settings.ready_seconds:g} s"
        return Check("reconciler", "stuck", f"{seen}; look at its log, and start another: any number may run")
    return Check("reconciler")


def _worker(processes: Iterable[ProcessGauges], settings: Settings) -> Check:
    silent, limit = newest_sign(processes, "worker"), worker_silence(settings)
    if silent is None:
        return Check("worker", "none", "there is no worker; start one: ./run worker")
    if silent > limit:
        seen = f"no worker gave a sign of life for {silent:.0f} s, expected one each {limit:g} s"
        return Check("worker", "silent", f"{seen}; look at their logs, and start others: ./run worker")
    return Check("worker")


def newest_sign(processes: Iterable[ProcessGauges], kind: str) -> float | None:
    """Seconds since the newest sign of life of a kind of process; None where there is none of it."""
    return min((process.silent for process in processes if process.kind == kind), default=None)


def worker_silence(settings: Settings) -> float:
    """From how many seconds on a worker counts as silent: two beats, and never less than a reconciler has."""
    return max(2 * settings.beat_seconds, settings.ready_seconds)
