"""The thread that keeps leases alive: what it renews, what it gives up, what it survives."""

from collections.abc import Iterator
from datetime import timedelta
from uuid import uuid4

import pytest
from psycopg import AsyncConnection

from db.queries import beating
from db.queries.beating import Renewed
from db.session import connect, make_pool
from tests.fleet import eventually
from tests.integration.engine.steps import (
    OWNER,
    TTL,
    adopted_job,
    claim_on,
    claimed_job,
    everything,
    in_loop,
    in_thread,
    lease_of,
    page_of,
    set_row,
    set_task,
    value,
    wait_until_blocked,
)
from worker.clock import monotonic
from worker.committing import commit
from worker.heartbeat import Heartbeat
from worker.leases import Lease
from worker.processes import sign

pytestmark = pytest.mark.usefixtures("lanes")

NEARLY_OVER = "expires_at = clock_timestamp() + interval '5 s'"


@pytest.fixture
def heartbeat(database_url) -> Iterator[Heartbeat]:
    """A heartbeat that beats twenty times a second and takes a slice of a minute for hung."""
    thread = Heartbeat(
        database_url, OWNER, slots=4, beat_seconds=0.05, lease=TTL, slice_limit_seconds=60, unhealthy_seconds=60
    )
    yield thread
    if thread.is_alive():
        thread.stop()
    assert not thread.is_alive()


def renewed(connection, task_id):
    return value(
        connection, "SELECT expires_at > clock_timestamp() + interval '50 s' FROM worker.tasks WHERE id = %s", task_id
    )


def backend(connection):
    row = connection.execute(
        "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'trawler heartbeat'"
    ).fetchone()
    return row and row[0]


def last_tick(connection):
    row = connection.execute("SELECT last_tick_at FROM worker.workers WHERE id = %s", (OWNER,)).fetchone()
    return row and row[0]


async def test_it_renews_every_lease_it_was_given_and_says_how_busy_the_process_is(connection, pool, heartbeat):
    # Given two leases that are nearly over
    leases = [lease_of((await claimed_job(connection, pool))[1]) for _ in range(2)]
    for lease in leases:
        set_task(connection, lease.task_id, NEARLY_OVER)
        heartbeat.add(lease)
    # When the thread beats
    heartbeat.start()
    # Then both live on, and the table of workers tells of them
    for lease in leases:
        eventually(lambda lease=lease: renewed(connection, lease.task_id))
        assert lease.held
    seen = connection.execute("SELECT id, kind, slots, in_use FROM worker.workers").fetchall()
    assert seen == [(OWNER, "worker", 4, 2)]
    # And a process that ends cleanly signs off
    heartbeat.stop()
    assert value(connection, "SELECT count(*) FROM worker.workers") == 0


async def test_a_beat_lengthens_the_holder_s_own_limit(connection, pool, heartbeat):
    # Given a lease whose last good beat was sent long ago, by the holder's own clock
    _, claimed = await claimed_job(connection, pool)
    lease = Lease(claimed, monotonic() - 50, 60)
    assert not lease.held
    heartbeat.add(lease)
    heartbeat.start()
    eventually(lambda: lease.held)


async def test_a_lease_that_another_took_is_told_to_its_slice_and_not_touched(connection, pool, heartbeat):
    _, claimed = await claimed_job(connection, pool)
    lease = lease_of(claimed)
    set_task(connection, claimed.id, f"token = '{uuid4()}', owner = 'worker-2', {NEARLY_OVER}")
    expires_at = value(connection, "SELECT expires_at FROM worker.tasks")
    heartbeat.add(lease)
    heartbeat.start()
    # Then it is told by a beat, long before its own limit would end it
    eventually(lambda: not lease.held, seconds=10)
    assert value(connection, "SELECT expires_at FROM worker.tasks") == expires_at


async def test_a_lease_that_was_given_back_is_renewed_no_more(connection, pool, heartbeat):
    _, claimed = await claimed_job(connection, pool)
    lease = lease_of(claimed)
    heartbeat.add(lease)
    heartbeat.start()
    eventually(lambda: last_tick(connection))
    # When the slice is over, and a beat has come and gone since
    heartbeat.remove(lease)
    eventually(lambda: value(connection, "SELECT in_use FROM worker.workers") == 0)
    set_task(connection, claimed.id, NEARLY_OVER)
    before = last_tick(connection)
    eventually(lambda: last_tick(connection) > before)
    # Then it was left alone, and its slice was told nothing
    assert not renewed(connection, claimed.id)
    assert lease.held


async def test_a_hung_slice_is_renewed_no_more_and_told_while_the_others_live_on(connection, database_url, pool):
    # Given a limit that the first slice has passed and the second has not
    hung = lease_of((await claimed_job(connection, pool))[1])
    young = lease_of((await claimed_job(connection, pool))[1])
    hung.claimed_at -= 61
    heartbeat = Heartbeat(
        database_url, OWNER, slots=4, beat_seconds=0.05, lease=TTL, slice_limit_seconds=60, unhealthy_seconds=60
    )
    for lease in (hung, young):
        set_task(connection, lease.task_id, NEARLY_OVER)
        heartbeat.add(lease)
    heartbeat.start()
    try:
        eventually(lambda: renewed(connection, young.task_id))
        assert not hung.held
        assert not renewed(connection, hung.task_id)
        assert young.held
    finally:
        heartbeat.stop()


async def test_a_lease_locked_by_its_own_page_commit_is_not_lost_and_holds_up_no_other(
    connection, database_url, pool, heartbeat
):
    # Given a page commit that waits for its row, with its task locked, and a second lease
    job_id, claimed = await claimed_job(connection, pool)
    other = lease_of((await claimed_job(connection, pool))[1])
    lease = lease_of(claimed)
    for task_id in (claimed.id, other.task_id):
        set_task(connection, task_id, NEARLY_OVER)
    with connect(database_url, autocommit=False) as application:
        set_row(application, job_id, "region = 'DE'")

        async def page():
            async with make_pool(database_url, "test pool", 1) as own:
                return await commit(own, lease, page_of(claimed))

        committing = in_loop(page)
        wait_until_blocked(connection)
        # When beats come
        heartbeat.add(lease)
        heartbeat.add(other)
        heartbeat.start()
        eventually(lambda: renewed(connection, other.task_id))
        # Then the locked one counts as good
        assert lease.held
        application.commit()
    # And its commit renewed it
    assert committing.result(20).page_new
    assert renewed(connection, claimed.id)


async def test_it_survives_the_end_of_its_connection(connection, pool, heartbeat):
    _, claimed = await claimed_job(connection, pool)
    lease = lease_of(claimed)
    heartbeat.add(lease)
    heartbeat.start()
    eventually(lambda: last_tick(connection))
    # When its backend is ended
    pid = eventually(lambda: backend(connection))
    assert value(connection, "SELECT pg_terminate_backend(%s)", pid)
    # Then it comes back on another and renews again
    eventually(lambda: (again := backend(connection)) and again != pid)
    set_task(connection, claimed.id, NEARLY_OVER)
    eventually(lambda: renewed(connection, claimed.id))
    assert lease.held


@pytest.mark.parametrize(
    ("fault", "repair"),
    [
        pytest.param(
            "ALTER DATABASE {} SET default_transaction_read_only = on",
            "ALTER DATABASE {} RESET default_transaction_read_only",
            marks=pytest.mark.direct("a backend that began read-only stays so, and a pooler hands it round"),
        ),
        ("ALTER TABLE worker.workers RENAME TO away", "ALTER TABLE worker.away RENAME TO workers"),
    ],
    ids=["read-only after a fail-over", "a table away"],
)
@pytest.mark.filterwarnings("default::pytest.PytestUnhandledThreadExceptionWarning")
async def test_it_survives_a_database_that_refuses_to_write(connection, pool, heartbeat, fault, repair):
    # Given a beating process
    _, claimed = await claimed_job(connection, pool)
    heartbeat.add(lease_of(claimed))
    heartbeat.start()
    eventually(lambda: last_tick(connection))
    # When the database it is connected to takes no writes for a time
    name = connection.info.dbname
    connection.execute(fault.format(name).encode())
    pid = backend(connection)
    connection.execute("SELECT pg_terminate_backend(%s)", (pid,))
    eventually(lambda: not heartbeat.is_alive() or (backend(connection) or pid) != pid)
    connection.execute(b"SET default_transaction_read_only = off")
    connection.execute(repair.format(name).encode())
    # Then it beats on afterwards
    set_task(connection, claimed.id, NEARLY_OVER)
    eventually(lambda: not heartbeat.is_alive() or renewed(connection, claimed.id))
    assert heartbeat.is_alive()


async def test_beats_touch_no_index(connection, database_url):
    # Given a held lease, whose claim is counted already
    adopted_job(connection)
    async with await AsyncConnection.connect(database_url, autocommit=True, prepare_threshold=None) as own:
        (claimed,) = await claim_on(own)
        await own.execute("SELECT pg_stat_force_next_flush()")
    counted = "SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables WHERE relid = '{}'::regclass"

    def updates(table):
        connection.execute("SELECT pg_stat_clear_snapshot()")
        return connection.execute(counted.format(table).encode()).fetchone()

    before = {table: updates(table) for table in ("worker.tasks", "worker.workers")}
    # When thirty beats come
    with connect(database_url) as beating_connection:
        for _ in range(30):
            beating.tick(beating_connection, sign(OWNER, "worker", slots=4, in_use=1))
            beating.renew(beating_connection, [claimed.id], [claimed.token], TTL)
    # Then every one was a heap-only update
    for table, least in (("worker.tasks", 30), ("worker.workers", 29)):
        eventually(lambda table=table, least=least: updates(table)[0] - before[table][0] >= least)
        total, hot = (now - then for now, then in zip(updates(table), before[table], strict=True))
        assert hot == total, table


async def test_a_beat_changes_nothing_but_the_expiry(connection, pool):
    _, claimed = await claimed_job(connection, pool)
    before = everything(connection)
    assert beating.renew(connection, [claimed.id], [claimed.token], timedelta(hours=1)) == [
        Renewed(claimed.token, None)
    ]
    after = everything(connection)
    assert before.pop("worker.tasks") != after.pop("worker.tasks")
    assert before == after
    assert beating.renew(connection, [], [], TTL) == []


def test_processes_that_were_silent_for_long_are_forgotten(connection):
    beating.tick(connection, sign("alive", "worker"))
    beating.tick(connection, sign("dead", "worker"))
    connection.execute("UPDATE worker.workers SET last_tick_at = now() - interval '11 min' WHERE id = 'dead'")
    assert beating.forget_silent(connection, timedelta(minutes=10)) == 1
    assert connection.execute("SELECT id FROM worker.workers").fetchall() == [("alive",)]


def test_a_drain_waits_for_a_claim_that_is_under_way(heartbeat):
    # Given
    with heartbeat.claiming():
        idle = in_thread(heartbeat.wait_until_idle)
        # When
        with pytest.raises(TimeoutError):
            idle.result(timeout=0.2)
    # Then
    idle.result(timeout=10)
