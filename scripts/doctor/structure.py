"""Checks of the schema: is everything there that the engine needs?"""

from db.queries.diagnosing import structure
from db.queries.diagnosing.structure import MAY_LACK, NEEDED, TIME
from db.revision import current_revision, newest_revision
from scripts.doctor.findings import KNOWN, Finding, Findings, NamedCheck, Patient, some


def _schema(p: Patient) -> Findings:
    current, newest = current_revision(p.connection), newest_revision()
    if current is None or current < newest:
        seen = f"the database is at revision {current or 'none'}"
        yield Finding("error", "schema_older", seen, f"{newest} or newer", "./run migrate")
    elif current > newest:
        seen = f"the database is at revision {current}, this release at {newest}"
        yield Finding("warning", "schema_newer", seen, "equal once a deploy is over", "finish or repeat the deploy")


def _objects(p: Patient) -> Findings:
    missing = sorted(structure.expected_objects() - structure.present_objects(p.connection))
    # Without a table its columns are no news.
    gone = {name.removeprefix("table ") for name in missing if name.startswith("table ")}
    missing = [name for name in missing if name.removeprefix("column ").split(".")[0] not in gone]
    if missing:
        todo = "put them back as db/migrations/sql has them, or restore the schema worker from a backup"
        yield Finding("error", "objects_missing", "schema worker lacks " + some(missing), "all of the release's", todo)


def _columns(p: Patient) -> Findings:
    types = structure.column_types(p.connection)
    absent = [table for table in MAY_LACK if not types[table]]
    if absent:
        yield Finding("ok", "searches", f"there is no {' and no '.join(absent)}: searches are not served")
    missing = [f"{t}.{c}" for t, needed in NEEDED.items() for c in needed if c not in types[t] and t not in absent]
    if missing:
        todo = "put them back: a schema push of the application dropped or renamed them"
        yield Finding("error", "column_missing", some(missing), "the columns that the engine reads and writes", todo)
    for table, needed in NEEDED.items():
        for column, fit in needed.items():
            kind = types[table].get(column)
            if kind is not None and kind not in fit:
                seen = f"{table}.{column} is {kind}"
                expected = " or ".join(fit) + (", with or without zone" if fit == TIME else "")
                yield Finding("error", "column_type", seen, expected, "change the column's type back")
    zoned = [f"{t}.{c}" for t in NEEDED for c, kind in types[t].items() if kind == "timestamptz"]
    if zoned:
        seen = f"with time zone: {some(zoned)}; tolerated, and right while the engine's sessions are in UTC"
        yield Finding("ok", "column_zone", seen)


def _triggers(p: Patient) -> Findings:
    found = structure.triggers(p.connection)
    there = structure.column_types(p.connection)
    wanted = [f"{t}.{name}" for t in KNOWN if there[t] for name in ("trawler_inserted", "trawler_pending")]
    if missing := [name for name in wanted if name not in found]:
        yield Finding(
            "warning",
            "trigger_missing",
            f"{some(missing)}: new rows are found by the full sweep alone",
            "both triggers on each job table",
            "start a reconciler whose role owns the tables, or as their owner: SELECT worker.ensure_triggers()",
        )
    for name in wanted:
        if found.get(name, "O") not in ("O", "A"):
            table, trigger = name.split(".")
            todo = f"ALTER TABLE public.{table} ENABLE TRIGGER {trigger}"
            yield Finding("warning", "trigger_disabled", f"{name} does not fire", "it is enabled", todo)


def _rights(p: Patient) -> Findings:
    if missing := structure.missing_rights(p.connection):
        todo = "as the tables' owner: ./run migrate --grants-for ROLE; or use the role that ran ./run migrate"
        yield Finding("error", "rights", "the role lacks " + some(missing), "what the engine does every day", todo)
    if hidden := structure.tables_with_hidden_rows(p.connection):
        todo = "as the tables' owner: ./run migrate --grants-for ROLE, with the role of DATABASE_URL"
        seen = "row level security hides rows of " + some(hidden)
        yield Finding("error", "rows_hidden", seen, "a policy that shows this role every row", todo)


CHECKS: tuple[NamedCheck, ...] = (
    ("schema", "the schema is of this release", _schema),
    ("objects", "every table, column, index and function of ours is there", _objects),
    ("columns", "the application's columns are as the engine needs them; times may have a zone or none", _columns),
    ("rights", "the role may do what the engine does", _rights),
    ("triggers", "each job table tells of new rows", _triggers),
)
