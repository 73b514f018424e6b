"""`doctor` finds what is wrong: a test breaks one thing of a healthy deployment and sees that and nothing else."""

import contextlib
import json
import re
import socket
import threading
from datetime import timedelta
from uuid import uuid4

import psycopg
import pytest
import redis
from typer.testing import CliRunner

from db.queries.diagnosing import rows, structure
from db.session import connect, driver_url
from scripts.doctor.examination import diagnose, exit_code
from scripts.doctor.findings import Limits
from scripts.doctor.report import show
from scripts.ops.commands import app
from scripts.tables import console
from tests.jobs import insert_job
from worker.clock import utc_now
from worker.settings import load_settings

LANE = "scrape.tiktok"
SETTINGS = load_settings(SCRAPECREATORS_API_KEY="key")
LEASED = "state = 'leased', token = gen_random_uuid(), owner = 'w1', claimed_at = clock_timestamp()"
CLOSED = "state = 'closed', closed_at = clock_timestamp()"
NOW = "worker.utc_now()"


@pytest.fixture
def healthy(connection, redis_url):
    """A deployment with nothing wrong: processes alive, a lane, a job that waits, one that runs, one that ended."""
    connection.execute("INSERT INTO worker.lanes (lane, max_running, max_per_tenant) VALUES (%s, 4, 2)", (LANE,))
    connection.execute(
        "INSERT INTO worker.workers (id, kind, host, pid, slots, release) VALUES"
        " ('w1', 'worker', 'host-a', 42, 8, '1.0'), ('r1', 'reconciler', 'host-a', 43, 0, '1.0')"
    )
    add_job(connection, "state = 'ready'")
    add_job(connection, f"{LEASED}, expires_at = clock_timestamp() + interval '50 s'", status="processing")
    ended = add_job(connection, CLOSED, status="completed", progress=100, processed_results=3, processed_runs=1)
    connection.execute(
        "INSERT INTO scraping_results (job_id, creators) VALUES (%s::uuid, '[{}, {}]'), (%s::uuid, '[{}]')",
        (ended, ended),
    )
    connection.execute(
        "INSERT INTO background_jobs (job_type, payload, scheduled_for) VALUES ('noop', '{}', now() + interval '1 day')"
    )
    with redis.Redis.from_url(redis_url) as client:
        yield client


def add_job(connection, state, **columns):
    """A row and its task in a state, as after an adoption."""
    job_id = insert_job(connection, **columns)
    connection.execute(
        "INSERT INTO worker.tasks (job_table, job_id, lane, tenant, state)"
        " VALUES ('scraping_jobs', %s, %s, 'u', 'ready')",
        (job_id, LANE),
    )
    connection.execute(f"UPDATE worker.tasks SET {state} WHERE job_id = %s", (job_id,))
    return job_id


def ailments(findings):
    """Everything that is not ok."""
    return [(finding.severity, finding.code) for finding in findings if finding.severity != "ok"]


def test_a_healthy_deployment_gives_only_ok(connection, healthy):
    findings = diagnose(connection, healthy, SETTINGS)
    assert ailments(findings) == []
    assert len(findings) == 17
    assert exit_code(findings) == 0


def test_what_the_migrations_say_is_what_they_make(connection):
    present = structure.present_objects(connection)
    expected = structure.expected_objects()
    assert expected - present == set()
    # What Postgres adds by itself: indexes of keys, and Alembic's own table.
    extra = {o for o in present - expected if "alembic" not in o}
    assert extra == {o for o in extra if re.fullmatch(r"index \w+_(pkey|key)", o)}


# Each case: the findings to be seen, words one of them holds, and the SQL that breaks it.
BROKEN = {
    "an index of ours is gone": (
        "error",
        "objects_missing",
        "index tasks_deadline",
        "DROP INDEX worker.tasks_deadline",
    ),
    "a function of ours is gone": (
        *("error", "objects_missing", "function pass_over"),
        "DROP FUNCTION worker.pass_over",
    ),
    "a column of ours is gone": (
        *("error", "objects_missing", "column attempts.evidence"),
        "ALTER TABLE worker.attempts DROP COLUMN evidence",
    ),
    "a table of ours is gone": ("error", "objects_missing", "table schedules", "DROP TABLE worker.schedules"),
    "a column of the application is gone": (
        *("error", "column_missing", "scraping_jobs.search_params"),
        "ALTER TABLE scraping_jobs DROP COLUMN search_params",
    ),
    "a column that the doctor reads is gone": (
        *("error", "column_missing", "scraping_jobs.progress"),
        "ALTER TABLE scraping_jobs DROP COLUMN progress",
    ),
    "a column has another type": (
        *("error", "column_type", "scraping_jobs.keywords is json"),
        "ALTER TABLE scraping_jobs ALTER keywords TYPE json",
    ),
    "a trigger is gone": (
        *("warning", "trigger_missing", "background_jobs.trawler_pending"),
        "DROP TRIGGER trawler_pending ON background_jobs",
    ),
    "a trigger is disabled": (
        *("warning", "trigger_disabled", "scraping_jobs.trawler_inserted"),
        "ALTER TABLE scraping_jobs DISABLE TRIGGER trawler_inserted",
    ),
    "a dead lease is not swept": (
        *("error", "lease_unswept", "1 tasks"),
        "UPDATE worker.tasks SET expires_at = clock_timestamp() - interval '190 s' WHERE state = 'leased'",
    ),
    "a row is processing with a closed task": (
        *("error", "row_orphaned", "scraping_jobs: 1 rows"),
        "UPDATE scraping_jobs SET status = 'processing' WHERE status = 'completed'",
    ),
    "a row is processing without a task": (
        *("error", "row_orphaned", "background_jobs: 1 rows"),
        "INSERT INTO background_jobs (job_type, payload, status) VALUES ('noop', '{}', 'processing')",
    ),
    "a pending row is not adopted": (
        *("error", "row_unadopted", "scraping_jobs: 1 rows"),
        (
            f"INSERT INTO scraping_jobs (user_id, created_at, updated_at) SELECT 'u', t, t"
            f" FROM (SELECT {NOW} - interval '6 min' AS t) s"
        ),
    ),
    "a due background job is not adopted": (
        *("error", "row_unadopted", "background_jobs: 1 rows"),
        (
            "UPDATE background_jobs SET created_at = created_at - interval '7 min',"
            f" updated_at = updated_at - interval '7 min', scheduled_for = {NOW} - interval '6 min'"
        ),
    ),
    "an open task has no row": (
        *("warning", "task_without_row", "1 tasks"),
        "DELETE FROM scraping_jobs WHERE status = 'pending'",
    ),
    "a completed row is not at 100": (
        *("warning", "row_progress", "scraping_jobs: 1 rows"),
        "UPDATE scraping_jobs SET progress = 99 WHERE status = 'completed'",
    ),
    "results are not what is stored": (
        *("error", "results_unequal", "says 4, stored are 3"),
        "UPDATE scraping_jobs SET processed_results = 4 WHERE status = 'completed'",
    ),
    "a deadline passed and nobody ended the job": (
        *("error", "deadline_passed", "1 tasks"),
        "UPDATE worker.tasks SET deadline_at = clock_timestamp() - interval '11 min' WHERE state = 'ready'",
    ),
    "a task is parked": (
        *("warning", "task_parked", "1 tasks"),
        "UPDATE worker.tasks SET state = 'parked' WHERE state = 'closed'",
    ),
    "rows say local time, ahead of UTC": (
        *("warning", "row_time_zone", "scraping_jobs: 3 rows"),
        "UPDATE scraping_jobs SET created_at = created_at + interval '2 h'",
    ),
    "rows say local time, behind UTC": (
        *("warning", "row_time_zone", "scraping_jobs: 3 rows"),
        "UPDATE scraping_jobs SET created_at = created_at - interval '5 h'",
    ),
    "sessions are not in UTC": ("warning", "session_time_zone", "Europe/Berlin", "SET timezone = 'Europe/Berlin'"),
    "no reconciler is alive": (
        *("error", "no_reconciler", "no reconciler"),
        "DELETE FROM worker.workers WHERE kind = 'reconciler'",
    ),
    "no worker is alive": ("error", "no_worker", "no worker", "DELETE FROM worker.workers WHERE kind = 'worker'"),
    "a process is silent": (
        *("warning", "process_silent", "worker w2 (host-b, pid 7) for 31 s"),
        (
            "INSERT INTO worker.workers (id, kind, host, pid, last_tick_at) VALUES"
            " ('w2', 'worker', 'host-b', 7, clock_timestamp() - interval '31 s')"
        ),
    ),
    "a worker polls": (
        *("warning", "degraded_polling", "w1 poll Postgres"),
        "UPDATE worker.workers SET polling = true WHERE id = 'w1'",
    ),
    "work waits in a lane paused for long": (
        *("warning", "lane_paused", "scrape.tiktok is paused (wrong key)"),
        (
            "WITH p AS (UPDATE worker.lanes SET paused = true, pause_reason = 'wrong key')"
            " UPDATE worker.tasks SET run_at = clock_timestamp() - interval '25 h' WHERE state = 'ready'"
        ),
    ),
    "a schedule is late": (
        *("error", "schedule_late", "nightly"),
        (
            "INSERT INTO worker.schedules (name, cron, job_type, next_at)"
            " VALUES ('nightly', '0 3 * * *', 'noop', clock_timestamp() - interval '11 min')"
        ),
    ),
    "autovacuum is off for a table": (
        *("warning", "autovacuum_off", "worker.tasks"),
        "ALTER TABLE worker.tasks SET (autovacuum_enabled = false)",
    ),
    "the schema is newer than the release": (
        *("warning", "schema_newer", "9999"),
        "UPDATE worker.alembic_version SET version_num = '9999'",
    ),
    "the schema is older than the release": (
        *("error", "schema_older", "0001"),
        "UPDATE worker.alembic_version SET version_num = '0001'",
    ),
    "the schema is not there": ("error", "schema_older", "none", "DROP SCHEMA worker CASCADE"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_one_broken_thing_gives_one_finding(connection, healthy, case):
    severity, code, words, statement = BROKEN[case]
    connection.execute(statement)
    findings = diagnose(connection, healthy, SETTINGS)
    assert ailments(findings) == [(severity, code)], findings
    (found,) = (finding for finding in findings if finding.code == code)
    assert words in found.seen
    assert found.expected
    assert found.todo
    assert exit_code(findings) == (severity == "error")


@pytest.mark.parametrize(
    ("code", "words", "statement"),
    [
        ("foreign_status", "'searching'", "UPDATE scraping_jobs SET status = 'searching' WHERE status = 'completed'"),
        (
            *("releases_differ", "1.0, 2.0"),
            "INSERT INTO worker.workers (id, kind, host, pid, release) VALUES ('w2', 'worker', 'h', 7, '2.0')",
        ),
        (
            *("column_zone", "background_jobs.scheduled_for"),
            "ALTER TABLE background_jobs ALTER scheduled_for TYPE timestamptz",
        ),
        ("results", "no index", "DROP INDEX idx_scraping_results_job_id"),
    ],
)
def test_what_is_worth_knowing_but_not_wrong_is_told_as_ok(connection, healthy, code, words, statement):
    connection.execute(statement)
    findings = diagnose(connection, healthy, SETTINGS)
    assert ailments(findings) == []
    (found,) = (finding for finding in findings if finding.code == code)
    assert words.strip("'") in found.seen


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE worker.tasks SET expires_at = clock_timestamp() - interval '170 s' WHERE state = 'leased'",
        "UPDATE worker.tasks SET deadline_at = clock_timestamp() - interval '9 min'",
        "UPDATE worker.lanes SET paused = true",
        "UPDATE worker.workers SET last_tick_at = clock_timestamp() - interval '12 s'",
        "UPDATE scraping_jobs SET created_at = created_at - interval '45 min'",
        f"INSERT INTO scraping_jobs (user_id, created_at) VALUES ('u', {NOW} - interval '4 min')",
        (
            "INSERT INTO worker.schedules (name, cron, job_type, enabled, next_at)"
            " VALUES ('off', '0 3 * * *', 'noop', false, clock_timestamp() - interval '1 h')"
        ),
    ],
)
def test_what_is_still_within_its_limit_is_not_told(connection, healthy, statement):
    connection.execute(statement)
    assert ailments(diagnose(connection, healthy, SETTINGS)) == []


def test_a_few_rows_that_waited_whole_hours_do_not_look_like_another_zone(connection, healthy):
    # Given a backlog that was adopted late, of which one row happens to have waited two hours
    for minutes in (120, 131, 142, 217):
        insert_job(connection, status="completed", progress=100)
        connection.execute(
            "WITH late AS (UPDATE scraping_jobs SET status = 'pending', progress = 0,"
            "                     created_at = created_at - make_interval(mins => %s)"
            "               WHERE processed_runs = 0 AND status = 'completed' RETURNING id::text)"
            " INSERT INTO worker.tasks (job_table, job_id, lane, tenant, state)"
            " SELECT 'scraping_jobs', id, %s, 'u', 'ready' FROM late",
            (minutes, LANE),
        )
    assert ailments(diagnose(connection, healthy, SETTINGS)) == []


def test_a_clock_that_differs_is_told(connection, healthy):
    findings = diagnose(connection, healthy, SETTINGS, clock=lambda: utc_now() - timedelta(seconds=7))
    assert ailments(findings) == [("warning", "clock_differs")]
    assert [finding.seen for finding in findings if "7.0 s apart" in finding.seen]


@pytest.mark.direct("SET ROLE holds for a session")
def test_a_role_that_may_not_write_is_told(connection, healthy):
    role = f"trawler_role_{uuid4().hex[:12]}"
    connection.execute(f"CREATE ROLE {role}")
    try:
        connection.execute(f"GRANT USAGE ON SCHEMA worker TO {role}")
        connection.execute(f"GRANT ALL ON ALL TABLES IN SCHEMA worker, public TO {role}")
        connection.execute(f"REVOKE UPDATE ON scraping_jobs FROM {role}")
        connection.execute(f"SET ROLE {role}")
        findings = diagnose(connection, healthy, SETTINGS)
        assert ailments(findings) == [("error", "rights")]
        assert "the role lacks UPDATE on public.scraping_jobs" in [finding.seen for finding in findings]
    finally:
        connection.execute("RESET ROLE")
        connection.execute(f"DROP OWNED BY {role}")
        connection.execute(f"DROP ROLE {role}")


@pytest.mark.direct("SET ROLE holds for a session")
def test_a_role_that_may_not_even_read_is_told_once(connection, healthy):
    role = f"trawler_role_{uuid4().hex[:12]}"
    connection.execute(f"CREATE ROLE {role}")
    try:
        connection.execute(f"GRANT USAGE ON SCHEMA worker TO {role}")
        connection.execute(f"GRANT SELECT ON worker.alembic_version TO {role}")
        connection.execute(f"SET ROLE {role}")
        assert ailments(diagnose(connection, healthy, SETTINGS)) == [("error", "rights")]
    finally:
        connection.execute("RESET ROLE")
        connection.execute(f"DROP OWNED BY {role}")
        connection.execute(f"DROP ROLE {role}")


def test_a_missing_key_is_told(connection, healthy):
    assert ailments(diagnose(connection, healthy, load_settings())) == [("error", "api_key_missing")]


def test_an_old_transaction_is_told(connection, healthy, database_url):
    with connect(database_url, "somebody") as other, other.transaction():
        other.execute("SELECT 1")
        assert ailments(diagnose(connection, healthy, SETTINGS)) == []
        findings = diagnose(connection, healthy, SETTINGS, limits=Limits(old_transaction=timedelta(0)))
    assert ailments(findings) == [("warning", "old_transaction")]
    assert [finding for finding in findings if "(somebody, idle in transaction)" in finding.seen]


def test_a_replication_slot_that_nobody_reads_is_told(connection, healthy):
    slot = f"trawler_{uuid4().hex[:12]}"
    connection.execute("SELECT pg_create_physical_replication_slot(%s, true)", (slot,))
    try:
        assert ailments(diagnose(connection, healthy, SETTINGS)) == [("warning", "idle_slot")]
    finally:
        connection.execute("SELECT pg_drop_replication_slot(%s)", (slot,))


def test_dead_rows_that_pile_up_are_told(connection, healthy, database_url):
    # Given a snapshot that keeps autovacuum from clearing them meanwhile
    with connect(database_url) as other, other.transaction():
        other.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        other.execute("SELECT 1")
        connection.execute(
            "INSERT INTO worker.tasks (job_table, job_id, lane, tenant, state)"
            " SELECT 'scraping_jobs', gen_random_uuid()::text, %s, 'dead', 'ready' FROM generate_series(1, 10100)",
            (LANE,),
        )
        connection.execute("DELETE FROM worker.tasks WHERE tenant = 'dead'")
        connection.execute("SELECT pg_stat_force_next_flush()")
        assert ailments(diagnose(connection, healthy, SETTINGS)) == [("warning", "dead_rows")]


def test_a_list_that_grows_is_told(connection, healthy):
    healthy.rpush(f"trawler:{LANE}", *range(40))
    assert ailments(diagnose(connection, healthy, SETTINGS)) == []
    healthy.rpush(f"trawler:{LANE}", "one more")
    findings = diagnose(connection, healthy, SETTINGS)
    assert ailments(findings) == [("warning", "redis_list")]
    assert "the list of scrape.tiktok holds 41 wake-ups" in [finding.seen for finding in findings]


def test_a_redis_that_may_evict_is_told(connection, healthy):
    before = healthy.config_get("maxmemory-policy")["maxmemory-policy"]
    healthy.config_set("maxmemory-policy", "allkeys-lru")
    try:
        assert ailments(diagnose(connection, healthy, SETTINGS)) == [("warning", "redis_policy")]
    finally:
        healthy.config_set("maxmemory-policy", before)


def test_a_redis_that_does_not_answer_is_told(connection, healthy, unused_tcp_port):
    with redis.Redis(port=unused_tcp_port, socket_connect_timeout=1) as client:
        assert ailments(diagnose(connection, client, SETTINGS)) == [("error", "redis_unreachable")]


def test_without_a_redis_the_rest_is_looked_at(connection, healthy):
    findings = diagnose(connection, None, SETTINGS)
    assert ailments(findings) == []
    assert [finding.seen for finding in findings if finding.code == "redis"] == ["not looked at"]


def test_a_check_that_takes_too_long_is_told_and_ends_nothing_else(connection, healthy, database_url):
    with connect(database_url) as other, other.transaction():
        other.execute("LOCK TABLE worker.schedules IN ACCESS EXCLUSIVE MODE")
        findings = diagnose(connection, healthy, SETTINGS, limits=Limits(statement=timedelta(milliseconds=200)))
    assert ailments(findings) == [("warning", "not_checked")]
    assert {"redis", "keys"} <= {finding.code for finding in findings}


def test_a_large_table_is_sampled_and_the_finding_says_so(connection, healthy, monkeypatch):
    # Given a table of many pages, of which a tenth may be read
    connection.execute(
        "INSERT INTO scraping_jobs (user_id, status, progress) SELECT 'u', 'completed', 5 FROM generate_series(1, 5000)"
    )
    pages = connection.execute("SELECT pg_relation_size('scraping_jobs') / 8192").fetchone()[0]
    monkeypatch.setattr(rows, "SAMPLE_PAGES", pages // 2)
    findings = diagnose(connection, healthy, SETTINGS)
    # Then
    (found,) = (finding for finding in findings if finding.code == "row_progress")
    told = re.match(r"scraping_jobs: (\d+) rows in a sample of ([\d.]+) %", found.seen)
    assert told
    assert 0 < int(told[1]) < 5000
    assert 45 <= float(told[2]) <= 50


def test_a_pooler_between_is_told_and_is_fine(connection, healthy, database_url):
    with pooler_before(database_url) as url, connect(url) as pooled:
        findings = diagnose(pooled, healthy, SETTINGS)
    assert ailments(findings) == []
    assert [finding for finding in findings if finding.code == "pooler" and finding.seen.startswith("a pooler")]


def test_findings_are_shown_worst_first(connection, healthy):
    connection.execute("DROP TRIGGER trawler_pending ON background_jobs")
    connection.execute("DELETE FROM worker.workers WHERE kind = 'worker'")
    with console.capture() as captured:
        show(diagnose(connection, healthy, SETTINGS))
    text = captured.get()
    assert text.index("no_worker") < text.index("trigger_missing") < text.index("the schema is of")
    assert "to do: start one: ./run up" in text
    assert text.splitlines()[-1] == "15 ok, 1 warning, 1 error"


def test_the_command_tells_by_its_exit_code(connection, healthy, database_url, redis_url, monkeypatch):
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("REDIS_URL", redis_url)
    monkeypatch.setenv("SCRAPECREATORS_API_KEY", "key")
    command = CliRunner()
    done = command.invoke(app, ["doctor", "--json"])
    assert done.exit_code == 0
    assert {finding["severity"] for finding in json.loads(done.stdout)} == {"ok"}
    connection.execute("DROP INDEX worker.tasks_ready")
    assert command.invoke(app, ["doctor"]).exit_code == 1
    monkeypatch.setenv("DATABASE_URL", re.sub(r"/\w+$", "/nowhere", database_url))
    assert command.invoke(app, ["doctor"]).exit_code == 2


@contextlib.contextmanager
def pooler_before(database_url):
    """A pooler as a client meets one: it passes everything on, and makes up the backend's pid that it tells."""
    server = psycopg.conninfo.conninfo_to_dict(driver_url(database_url))
    listener = socket.create_server(("127.0.0.1", 0))
    ends: list[socket.socket] = []

    def pump(source, target, change=lambda data: data):
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                target.sendall(change(data))
        with contextlib.suppress(OSError):
            target.shutdown(socket.SHUT_WR)

    def other_pid(data):
        return re.sub(rb"K\x00\x00\x00\x0c....", b"K\x00\x00\x00\x0c\x00\x00\x00\x07", data, count=1, flags=re.DOTALL)

    def serve():
        with contextlib.suppress(OSError):
            while True:
                client, _ = listener.accept()
                behind = socket.create_connection((server["host"], int(server.get("port", 5432))))
                ends.extend((client, behind))
                threading.Thread(target=pump, args=(client, behind), daemon=True).start()
                threading.Thread(target=pump, args=(behind, client, other_pid), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    port = listener.getsockname()[1]
    try:
        yield psycopg.conninfo.make_conninfo(driver_url(database_url), host="127.0.0.1", port=port, sslmode="disable")
    finally:
        # Closed without a shutdown, a thread in accept() would stay there.
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        for end in (listener, *ends):
            end.close()
