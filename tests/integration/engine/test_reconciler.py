"""The reconciler: tasks true to rows, wake-ups true to tasks, whatever goes away meanwhile."""

import threading
from collections.abc import Iterator

import pytest
import redis

from db.session import connect
from tests.fleet import eventually
from tests.integration.engine.steps import LANE, claim, claimed_job, in_thread, set_row, set_task, value
from tests.jobs import insert_job, job, task
from worker.broker import WakeUps, make_redis
from worker.lanes import UNROUTABLE
from worker.reconciler import Reconciler
from worker.settings import load_settings


@pytest.fixture
def wakeups(redis_url) -> Iterator[WakeUps]:
    with make_redis(redis_url) as client:
        yield WakeUps(client)
        client.flushdb()


def reconciler_on(database_url, wakeups, **settings) -> Reconciler:
    settings = {"reconcile_seconds": 0.02, "lease_seconds": 60, "beat_seconds": 15, **settings}
    return Reconciler(
        database_url, wakeups, load_settings(_env_file=None, **settings), "reconciler-1", [LANE, UNROUTABLE]
    )


@pytest.fixture
def reconciler(database_url, wakeups, lanes) -> Reconciler:
    return reconciler_on(database_url, wakeups)


def backend(connection):
    row = connection.execute(
        "SELECT pid FROM pg_stat_activity"
        " WHERE datname = current_database() AND application_name = 'trawler reconciler'"
    ).fetchone()
    return row and row[0]


def state(connection, job_id):
    row = connection.execute("SELECT state FROM worker.tasks WHERE job_id = %s", (job_id,)).fetchone()
    return row and row[0]


def test_one_tick_adopts_promotes_ends_the_late_and_wakes(connection, reconciler, wakeups):
    # Given a new row, a waiting task that is due and one whose time is up
    due, late = insert_job(connection), insert_job(connection)
    reconciler.tick(connection)
    set_task(connection, task(connection, due)["id"], "state = 'waiting', run_at = now() - interval '1 s'")
    set_task(connection, task(connection, late)["id"], "deadline_at = now() - interval '1 s'")
    set_row(connection, late, "timeout_at = worker.utc_now() - interval '1 s'")
    new = insert_job(connection)
    # When a tick comes that also sees to what is due
    reconciler._next_slow = 0.0
    reconciler.tick(connection)
    # Then
    assert (state(connection, new), state(connection, due), state(connection, late)) == ("ready", "ready", "closed")
    assert job(connection, late)["status"] == "timeout"
    assert wakeups.queued(LANE) == 2


def test_the_list_holds_what_can_run_and_no_more_however_often_it_ticks(connection, reconciler, wakeups):
    # Given five jobs, then a lane with room for three
    for tenant in range(5):
        insert_job(connection, user_id=f"user_{tenant}")
    for _ in range(5):
        reconciler.tick(connection)
    assert wakeups.queued(LANE) == 5
    redis_client = wakeups._client
    redis_client.flushdb()
    connection.execute("UPDATE worker.lanes SET max_running = 3")
    for _ in range(5):
        reconciler.tick(connection)
    assert wakeups.queued(LANE) == 3
    assert wakeups.queued(UNROUTABLE) == 0


async def test_a_lane_that_is_full_paused_or_cooling_gets_no_wake_ups(connection, pool, reconciler, wakeups):
    await claimed_job(connection, pool)
    insert_job(connection)
    for resting in (
        "max_running = 1",
        "max_running = 9, paused = true",
        "paused = false, cooldown_until = clock_timestamp() + interval '1 hour'",
    ):
        connection.execute(f"UPDATE worker.lanes SET {resting}".encode())
        reconciler.tick(connection)
        assert wakeups.queued(LANE) == 0, resting
    connection.execute("UPDATE worker.lanes SET cooldown_until = '-infinity'")
    reconciler.tick(connection)
    assert wakeups.queued(LANE) == 1


async def test_a_tenant_at_its_cap_gets_no_wake_ups(connection, pool, reconciler, wakeups):
    # Given a tenant that runs as much as it may, and wants more
    connection.execute("UPDATE worker.lanes SET max_per_tenant = 1")
    await claimed_job(connection, pool)
    for _ in range(5):
        insert_job(connection)
    # When ticks come, then nobody is woken for what cannot run
    reconciler.tick(connection)
    assert await claim(pool) == []
    assert wakeups.queued(LANE) == 0


def test_a_flushed_redis_is_full_again_after_one_tick(connection, reconciler, wakeups):
    insert_job(connection)
    reconciler.tick(connection)
    wakeups._client.flushall()
    wakeups._client.script_flush()
    assert wakeups.queued(LANE) == 0
    reconciler.tick(connection)
    assert wakeups.queued(LANE) == 1


def test_without_redis_everything_else_goes_on_and_wake_ups_come_when_it_is_back(
    connection, database_url, redis_url, lanes
):
    # Given a Redis that is not there
    with make_redis("redis://127.0.0.1:1/0") as nowhere, make_redis(redis_url) as client:
        reconciler = reconciler_on(database_url, WakeUps(nowhere))
        job_id = insert_job(connection)
        reconciler.tick(connection)
        assert state(connection, job_id) == "ready"
        # When it is back
        reconciler._wakeups = WakeUps(client)
        reconciler.tick(connection)
        assert WakeUps(client).queued(LANE) == 1


@pytest.mark.direct("asks when the reconciler's own backend began")
def test_leases_are_not_swept_before_living_workers_had_a_lease_s_time_to_beat(
    connection, database_url, wakeups, lanes
):
    # Given a lease that ran out while the database was away, and leases of two seconds
    reconciler = reconciler_on(database_url, wakeups, lease_seconds=2, beat_seconds=0.5)
    job_id = insert_job(connection)
    reconciler.tick(connection)
    connection.execute("SELECT FROM worker.claim(%s, 'worker-1', ARRAY[gen_random_uuid()], '-1 s', '60 min')", (LANE,))
    stopping = threading.Event()
    running = in_thread(lambda: reconciler.run(stopping))
    try:
        # When it has connected and sees to what is due, then it lets the lease be
        witness = insert_job(connection)
        eventually(lambda: state(connection, witness) == "ready", seconds=10)
        set_task(connection, task(connection, witness)["id"], "state = 'waiting', run_at = now()")
        eventually(lambda: state(connection, witness) == "ready", seconds=10)
        assert state(connection, job_id) == "leased"
        # And takes it after a lease's time
        eventually(lambda: state(connection, job_id) == "ready", seconds=10)
        waited = value(
            connection,
            "SELECT extract(epoch FROM a.ended_at - b.backend_start) FROM worker.attempts a, pg_stat_activity b"
            " WHERE a.outcome = 'crashed' AND b.datname = current_database()"
            " AND b.application_name = 'trawler reconciler'",
        )
        assert waited >= 1.9
    finally:
        stopping.set()
        running.result(10)


@pytest.mark.direct("the test's own connection may share the backend that is cut")
def test_it_survives_the_end_of_its_connection_and_signs_off_when_told(connection, database_url, wakeups):
    # Given a running reconciler on a database without lanes
    stopping = threading.Event()
    reconciler = reconciler_on(database_url, wakeups)
    running = in_thread(lambda: reconciler.run(stopping))
    try:
        pid = eventually(lambda: backend(connection))
        first = insert_job(connection)
        eventually(lambda: state(connection, first) == "ready", seconds=10)
        assert value(connection, "SELECT kind FROM worker.workers") == "reconciler"
        # When its backend is ended
        assert value(connection, "SELECT pg_terminate_backend(%s)", pid)
        second = insert_job(connection)
        # Then it comes back and goes on
        eventually(lambda: state(connection, second) == "ready", seconds=10)
        assert backend(connection) != pid
    finally:
        stopping.set()
        running.result(10)
    assert value(connection, "SELECT count(*) FROM worker.workers") == 0


@pytest.mark.direct("a backend that began read-only stays so, and a pooler hands it round")
def test_it_survives_a_database_that_refuses_to_write(connection, database_url, wakeups):
    # Given a running reconciler
    stopping = threading.Event()
    reconciler = reconciler_on(database_url, wakeups)
    running = in_thread(lambda: reconciler.run(stopping))
    name = connection.info.dbname
    try:
        pid = eventually(lambda: backend(connection))
        # When a fail-over leaves it on a server that only reads, for a time
        connection.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on".encode())
        connection.execute("SELECT pg_terminate_backend(%s)", (pid,))
        eventually(lambda: running.done() or (backend(connection) or pid) != pid)
        connection.execute(f"ALTER DATABASE {name} RESET default_transaction_read_only".encode())
        job_id = insert_job(connection)
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND application_name = 'trawler reconciler'"
        )
        # Then it goes on afterwards
        eventually(lambda: running.done() or state(connection, job_id) == "ready", seconds=20)
        assert not running.done()
    finally:
        stopping.set()
        running.exception(10)
    running.result(0)


def test_the_full_sweep_mends_what_the_triggers_missed_at_the_first_tick(connection, reconciler, wakeups):
    connection.execute("DROP TRIGGER trawler_inserted ON scraping_jobs")
    job_id = insert_job(connection)
    reconciler.tick(connection)
    assert state(connection, job_id) == "ready"
    assert value(connection, "SELECT count(*) FROM pg_trigger WHERE tgname = 'trawler_inserted'") == 3
    assert wakeups.queued(LANE) == 1


@pytest.mark.direct("SET ROLE holds for a session")
def test_without_the_right_to_make_triggers_the_full_sweep_still_adopts(connection, database_url, reconciler):
    # Given a role of ours that may use the tables and not alter them
    connection.execute("DROP TRIGGER trawler_inserted ON scraping_jobs")
    job_id = insert_job(connection)
    role = f"engine_{connection.info.dbname.removeprefix('trawler_test_')}"
    connection.execute(f"CREATE ROLE {role}".encode())
    connection.execute(f"GRANT USAGE ON SCHEMA worker, public TO {role}".encode())
    connection.execute(f"GRANT ALL ON ALL TABLES IN SCHEMA worker, public TO {role}".encode())
    try:
        with connect(database_url) as engine:
            engine.execute(f"SET ROLE {role}".encode())
            # When it ticks, then the row is adopted all the same
            reconciler.tick(engine)
        assert state(connection, job_id) == "ready"
    finally:
        connection.execute(f"DROP OWNED BY {role}".encode())
        connection.execute(f"DROP ROLE {role}".encode())


def test_a_redis_that_ends_in_mid_tick_is_an_error_of_redis_alone(connection, reconciler, wakeups):
    # Given wake-ups that cannot be stored
    insert_job(connection)
    wakeups._client.set(f"trawler:{LANE}", "not a list")
    with pytest.raises(redis.RedisError):
        wakeups.queued(LANE)
    reconciler.tick(connection)
    wakeups._client.flushdb()
    reconciler.tick(connection)
    assert wakeups.queued(LANE) == 1
