"""Runs every check on a deployment.

Each check is one function that yields what it finds; a check that finds nothing gives one ``ok`` line.
"""

from collections.abc import Callable, Sequence
from datetime import datetime

import redis
from psycopg import Connection, errors

from scripts.doctor import fleet, rows, sessions, structure, upkeep
from scripts.doctor.findings import USUAL, Check, Finding, Limits, Patient
from worker.clock import utc_now
from worker.settings import Settings

ABSENT = (errors.UndefinedTable, errors.UndefinedColumn, errors.UndefinedFunction, errors.InsufficientPrivilege)
STRUCTURE = {"objects_missing", "column_missing", "column_type", "rights"}


def diagnose(
    connection: Connection,
    redis_client: "redis.Redis | None",
    settings: Settings,
    *,
    limits: Limits = USUAL,
    clock: Callable[[], datetime] = utc_now,
) -> list[Finding]:
    """Look at everything, cheapest to misread first; a healthy deployment gives only ``ok``.

    The connection must be in autocommit. Each check reads in a transaction of its own with a time limit, and its
    statements are bounded, as `db.queries.diagnosing` tells. A schema that is not there, or is too old, ends the
    examination, since nothing else would mean anything. Without a Redis client Redis is not looked at.
    """
    patient = Patient(connection, redis_client, settings, limits, clock)
    findings: list[Finding] = []
    for code, fine, check in CHECKS:
        found = _run(code, check, patient, {finding.code for finding in findings})
        findings += found if found is not None else []
        if found == []:
            findings.append(Finding("ok", code, fine))
        if code == "schema" and any(finding.severity == "error" for finding in findings):
            break
    return findings


def _run(code: str, check: Check, patient: Patient, codes: set[str]) -> list[Finding] | None:
    limit = f"{patient.limits.statement.total_seconds() * 1000:.0f}"
    try:
        if code == "pooler":  # it looks at several transactions
            return list(check(patient))
        with patient.connection.transaction():
            patient.connection.execute("SET TRANSACTION READ ONLY")
            for name in ("statement_timeout", "lock_timeout"):
                patient.connection.execute("SELECT set_config(%s, %s, true)", (name, limit))
            return list(check(patient))
    except (errors.QueryCanceled, errors.LockNotAvailable, *ABSENT) as error:
        if isinstance(error, ABSENT) and codes & STRUCTURE:
            return None  # what is missing has been told already
        text = str(error).strip().splitlines()[0]
        return [Finding("warning", "not_checked", f"{code}: {text}", "an answer", "look again when it is calmer")]


def exit_code(findings: Sequence[Finding]) -> int:
    """1 when anything is an error, else 0."""
    return int(any(finding.severity == "error" for finding in findings))


CHECKS = (*structure.CHECKS, *rows.CHECKS, *sessions.CHECKS, *fleet.CHECKS, *upkeep.CHECKS)
