"""Checks of the application's rows and the engine's tasks: are there any that cannot be?"""

from actors.handlers import load_handlers
from db.queries.diagnosing import rows, structure
from db.queries.diagnosing.rows import MANY
from scripts.doctor.findings import KNOWN, Finding, Findings, NamedCheck, Patient, Severity, some
from worker.errors import ConfigurationError
from worker.lanes import background_lane


def _rows(p: Patient) -> Findings:
    types = structure.column_types(p.connection)
    for table, known in KNOWN.items():
        if not types[table]:
            continue
        sample = rows.sample_rows(p.connection, table, types[table], known, p.limits.unadopted)
        part = "" if sample.percent == 100 else f" in a sample of {sample.percent:.3g} %"

        def seen(code: str, table: str = table, part: str = part, sample: rows.Sample = sample) -> str:
            count, ids = sample.problems[code]
            return f"{table}: {count} rows{part}, e.g. {', '.join(ids)}" if count else ""

        if text := seen("orphaned"):
            todo = f"if no other system runs them, set their status to '{known[0]}': they go on where they stopped"
            yield Finding("error", "row_orphaned", text, "an open task for each row 'processing'", todo)
        if text := seen("unadopted"):
            expected = f"{known[0]} rows are adopted within {p.limits.unadopted}"
            yield Finding(
                "error", "row_unadopted", text, expected, "see that a reconciler runs; then ./run ops explain"
            )
        if text := seen("progress"):
            todo = "find who completes rows without setting progress to 100; the engine sets both"
            yield Finding("warning", "row_progress", text, "progress 100 with 'completed'", todo)
        # A row that waited for hours before adoption may hit a whole hour by chance; most rows do not.
        if 2 * sample.problems["off_hours"][0] > sample.late and (text := seen("off_hours")):
            todo = "let its writer insert UTC, or set the zone of its role: ALTER ROLE ... SET timezone = 'UTC'"
            yield Finding("warning", "row_time_zone", text + ": created_at is off by whole hours", "UTC", todo)
        if sample.foreign:
            seen_words = f"{table}: {some(sample.foreign)}; not ours, such rows are left alone"
            yield Finding("ok", "foreign_status", seen_words)


def _tasks(p: Patient) -> Findings:
    limits, lease = p.limits, p.settings.lease
    checks: tuple[tuple[Severity, str, tuple[int, list[str]], str, str], ...] = (
        (
            *("error", "lease_unswept"),
            rows.counted(
                p.connection,
                "t.state = 'leased' AND t.expires_at < clock_timestamp() - %s",
                lease * limits.unswept_leases,
            ),
            f"dead leases are swept within {lease * limits.unswept_leases}",
            "start a reconciler: ./run reconciler",
        ),
        (
            *("warning", "task_without_row"),
            rows.tasks_without_row(p.connection),
            "a row for each open task",
            "nothing, when the application deleted them just now: the full sweep closes their tasks",
        ),
        (
            *("error", "deadline_passed"),
            rows.counted(
                p.connection,
                # Two arms, so that each finds its partial index.
                "t.state IN ('ready', 'waiting') AND t.deadline_at < clock_timestamp() - %s"
                " OR t.state = 'leased' AND t.deadline_at < clock_timestamp() - %s",
                limits.deadline,
                limits.deadline,
            ),
            f"jobs end as 'timeout' within {limits.deadline} of their deadline",
            "see that a reconciler runs, and what holds those that are leased: ./run ops explain",
        ),
        (
            *("warning", "task_parked"),
            rows.parked_tasks(p.connection),
            "no job kills its workers",
            "./run ops explain tells each one's crashes; mend the cause, then ./run ops retry",
        ),
    )
    for severity, code, (count, ids), expected, todo in checks:
        if count:
            more = " or more" if count == MANY else ""
            yield Finding(severity, code, f"{count}{more} tasks, e.g. {', '.join(ids)}", expected, todo)


def _job_types(p: Patient) -> Findings:
    try:
        known = sorted(load_handlers(p.settings.handlers))
    except ConfigurationError as error:
        yield Finding("error", "handlers", str(error), "handlers that can be loaded", "mend TRAWLER_HANDLERS")
        return
    unknown = rows.jobs_nobody_serves(p.connection, [background_lane(job_type) for job_type in known])
    if unknown:
        words = [f"{job_type!r}: {count} rows, e.g. {', '.join(ids)}" for job_type, count, ids in unknown]
        todo = "name the module of its handler in TRAWLER_HANDLERS, or correct job_type; what nobody serves fails"
        yield Finding("warning", "job_type_unknown", some(words), f"one of: {', '.join(known)}", todo)


def _results(p: Patient) -> Findings:
    unequal = rows.unequal_results(p.connection)
    if unequal is None:
        yield Finding("ok", "results", "not looked at: scraping_results has no index that begins with job_id")
    elif unequal:
        words = [f"{job['job_id']} says {job['said']}, stored are {job['stored']}" for job in unequal]
        todo = "find who else writes or deletes results; set processed_results to what is stored"
        yield Finding("error", "results_unequal", some(words), "processed_results = creators stored", todo)


CHECKS: tuple[NamedCheck, ...] = (
    ("rows", "no impossible rows", _rows),
    ("tasks", "no impossible or parked tasks", _tasks),
    ("job_types", "every waiting background job has a handler", _job_types),
    ("results", "processed_results is what is stored", _results),
)
