"""What happens to tasks that nobody's slice sees to."""

from uuid import UUID

import pytest

from db.queries import beating
from db.queries.beating import Renewed
from db.queries.overdue import sweep_overdue
from db.queries.sweeping import close_foreign, promote_due, sweep_dead_leases
from db.session import connect
from tests.fleet import eventually
from tests.integration.engine.steps import (
    TTL,
    adopt,
    adopted_job,
    attempts,
    blocked_backends,
    claim,
    claimed_job,
    in_thread,
    lease_of,
    page_of,
    set_row,
    set_task,
    value,
)
from tests.jobs import assert_counters_are_true, job, task
from worker.committing import commit

pytestmark = pytest.mark.usefixtures("lanes")

EXPIRED = "expires_at = clock_timestamp() - interval '1 s'"
LATE = "deadline_at = clock_timestamp() - interval '1 s'"


def make_late(connection):
    """Let the deadline of every job pass, as row and task tell it."""
    connection.execute("UPDATE scraping_jobs SET timeout_at = worker.utc_now() - interval '1 s'")
    connection.execute(f"UPDATE worker.tasks SET {LATE}".encode())


def due_in(connection, task_id):
    return value(
        connection, "SELECT extract(epoch FROM run_at - clock_timestamp()) FROM worker.tasks WHERE id = %s", task_id
    )


def sweep(connection, batch=100):
    return sweep_dead_leases(connection, 3, batch)


def test_only_what_is_due_is_promoted_the_longest_due_first(connection):
    # Given three waiting tasks, one of them not due yet
    ids = [task(connection, adopted_job(connection))["id"] for _ in range(3)]
    for task_id, seconds in zip(ids, (-10, -20, 60), strict=True):
        set_task(
            connection,
            task_id,
            f"state = 'waiting', wait_reason = 'quota', run_at = clock_timestamp() + interval '{seconds} s'",
        )
    # Then they become ready in the order of their times
    assert promote_due(connection, 1) == 1
    assert connection.execute("SELECT id FROM worker.tasks WHERE state = 'ready'").fetchall() == [(ids[1],)]
    assert promote_due(connection, 100) == 1
    assert promote_due(connection, 100) == 0
    found = connection.execute("SELECT state, wait_reason FROM worker.tasks ORDER BY id").fetchall()
    assert found == [("ready", None), ("ready", None), ("waiting", "quota")]


async def test_a_dead_lease_costs_a_crash_and_no_failure_and_its_page_stays(connection, pool):
    # Given a worker that died after its first page
    job_id, claimed = await claimed_job(connection, pool)
    await commit(pool, lease_of(claimed), page_of(claimed))
    set_task(connection, claimed.id, EXPIRED)
    row = job(connection, job_id)
    # When it is swept
    (dead,) = sweep(connection)
    # Then the task goes on at once, at its next epoch, and the row did not notice
    swept = task(connection, job_id)
    assert (dead.job_id, dead.owner, dead.epoch, dead.crashes, dead.state) == (job_id, "worker-1", 1, 1, "waiting")
    assert (swept["crashes"], swept["failures"], swept["token"], swept["last_token"]) == (1, 0, None, None)
    assert attempts(connection, claimed.id) == [("crashed", "lease_expired", None)]
    assert job(connection, job_id) == row
    assert promote_due(connection, 100) == 1
    (again,) = await claim(pool)
    assert again.epoch == 2
    # And a page clears the crash
    await commit(pool, lease_of(again), page_of(again, 2, ["c"]))
    assert task(connection, job_id)["crashes"] == 0
    assert_counters_are_true(connection, job_id)


async def test_crashes_without_progress_back_off_and_park_the_job_at_the_third(connection, pool):
    # Given a job that kills every worker
    job_id, claimed = await claimed_job(connection, pool)
    pauses = []
    for crash in (1, 2, 3):
        set_task(connection, claimed.id, EXPIRED)
        (dead,) = sweep(connection)
        assert dead.crashes == crash
        if crash < 3:
            pauses.append(float(due_in(connection, claimed.id)))
            set_task(connection, claimed.id, "run_at = clock_timestamp()")
            assert promote_due(connection, 100) == 1
            assert len(await claim(pool)) == 1
    # Then the first crash cost no time and the second some
    assert pauses[0] <= 0
    assert 5 < pauses[1] <= 10
    # And the third parked it, and the row says so
    parked, row = task(connection, job_id), job(connection, job_id)
    assert (parked["state"], parked["end_reason"]) == ("parked", "poison")
    assert parked["closed_at"] is not None
    assert row["status"] == "error"
    assert "died 3 times without progress" in row["error"]
    assert [outcome for outcome, _, _ in attempts(connection, claimed.id)] == ["crashed"] * 3
    # And a retry opens it with a clean slate
    set_row(connection, job_id, "status = 'pending'")
    adopt(connection)
    assert (task(connection, job_id)["state"], task(connection, job_id)["crashes"]) == ("ready", 0)


async def test_a_parked_job_whose_row_the_application_ended_keeps_its_word(connection, pool):
    job_id, claimed = await claimed_job(connection, pool)
    set_row(connection, job_id, "status = 'cancelled'")
    set_task(connection, claimed.id, f"crashes = 2, {EXPIRED}")
    before = job(connection, job_id)
    assert sweep(connection)[0].state == "parked"
    assert job(connection, job_id) == before


async def test_a_living_lease_is_left_alone(connection, pool):
    job_id, _ = await claimed_job(connection, pool)
    before = task(connection, job_id)
    assert sweep(connection) == []
    assert task(connection, job_id) == before


async def test_a_beat_that_came_first_wins_against_a_sweep_that_already_looked(connection, database_url, pool):
    # Given two expired leases, and a sweep that waits for one of them behind a beat that is not committed yet
    job_id, claimed = await claimed_job(connection, pool)
    set_task(connection, claimed.id, EXPIRED)
    with connect(database_url, autocommit=False) as beat:
        assert beating.renew(beat, [claimed.id], [claimed.token], TTL) == [Renewed(claimed.token, None)]
        # When the sweep comes, it does not wait
        assert sweep(connection) == []
        beat.commit()
    # Then the lease lives
    assert sweep(connection) == []
    assert task(connection, job_id)["token"] == claimed.token


async def test_a_sweep_that_came_first_wins_against_the_beat(connection, database_url, pool):
    job_id, claimed = await claimed_job(connection, pool)
    set_task(connection, claimed.id, EXPIRED)
    with connect(database_url, autocommit=False) as sweeping:
        assert len(sweep(sweeping)) == 1
        sweeping.commit()
    assert beating.renew(connection, [claimed.id], [claimed.token], TTL) == []
    assert task(connection, job_id)["state"] == "waiting"


async def test_two_sweeps_at_once_count_one_crash(connection, database_url, pool):
    job_id, claimed = await claimed_job(connection, pool)
    set_task(connection, claimed.id, EXPIRED)
    with connect(database_url, autocommit=False) as first:
        assert len(sweep(first)) == 1
        assert sweep(connection) == []
        first.commit()
    assert task(connection, job_id)["crashes"] == 1


@pytest.mark.parametrize("state", ["ready", "waiting"])
async def test_a_passed_deadline_ends_as_timeout_with_the_results_kept(connection, pool, state):
    # Given a job with a page, given back, whose time is up
    job_id, claimed = await claimed_job(connection, pool)
    await commit(pool, lease_of(claimed), page_of(claimed))
    set_row(connection, job_id, "timeout_at = worker.utc_now() - interval '1 s'")
    set_task(connection, claimed.id, f"state = '{state}', token = NULL, expires_at = NULL, owner = NULL, {LATE}")
    # When it is swept
    assert sweep_overdue(connection, 100) == [job_id]
    # Then row and task are ended
    row, ended = job(connection, job_id), task(connection, job_id)
    assert row["status"] == "timeout"
    assert "timeout_at passed" in row["error"]
    assert row["completed_at"] is not None
    assert (ended["state"], ended["end_reason"]) == ("closed", "deadline")
    assert row["processed_results"] == 2
    assert_counters_are_true(connection, job_id)
    assert attempts(connection, claimed.id) == [("timeout", "deadline", None)]
    assert sweep_overdue(connection, 100) == []


async def test_a_running_job_is_not_timed_out_by_the_sweep(connection, pool):
    _, claimed = await claimed_job(connection, pool)
    set_task(connection, claimed.id, LATE)
    assert sweep_overdue(connection, 100) == []


def test_a_passed_deadline_leaves_a_row_the_application_ended_as_it_is(connection):
    job_id = adopted_job(connection)
    set_task(connection, task(connection, job_id)["id"], LATE)
    set_row(connection, job_id, "status = 'cancelled'")
    before = job(connection, job_id)
    assert sweep_overdue(connection, 100) == []
    assert job(connection, job_id) == before
    assert task(connection, job_id)["state"] == "closed"


@pytest.mark.parametrize("later", ["worker.utc_now() + interval '1 hour'", "NULL"])
async def test_a_deadline_that_the_application_moved_or_took_away_is_heard(connection, pool, later):
    # Given a waiting job that the application has given more time
    job_id, claimed = await claimed_job(connection, pool)
    set_task(connection, claimed.id, f"state = 'waiting', token = NULL, expires_at = NULL, owner = NULL, {LATE}")
    set_row(connection, job_id, f"timeout_at = {later}")
    # When the old deadline has passed
    assert sweep_overdue(connection, 100) == []
    # Then the job is still on
    assert job(connection, job_id)["status"] == "processing"
    assert task(connection, job_id)["state"] == "waiting"


@pytest.mark.parametrize("change", ["UPDATE scraping_jobs SET status = 'cancelled'", "DELETE FROM scraping_jobs"])
def test_tasks_of_rows_the_application_ended_are_closed(connection, change):
    gone = adopted_job(connection)
    connection.execute(change.encode())
    kept = adopted_job(connection)
    assert close_foreign(connection, 100) == 1
    assert close_foreign(connection, 100) == 0
    assert (task(connection, gone)["state"], task(connection, gone)["end_reason"]) == ("closed", "outside")
    assert task(connection, kept)["state"] == "ready"


async def test_a_running_task_of_an_ended_row_is_left_to_its_slice(connection, pool):
    job_id, claimed = await claimed_job(connection, pool)
    set_row(connection, job_id, "status = 'cancelled'")
    assert close_foreign(connection, 100) == 0
    assert isinstance(task(connection, job_id)["token"], UUID)
    assert not (await commit(pool, lease_of(claimed), page_of(claimed))).row_open


def test_a_row_that_the_application_holds_locked_does_not_hold_up_the_sweep(connection, database_url):
    # Given two overdue jobs, the row of the first locked by an open transaction of the application
    held, free = adopted_job(connection), adopted_job(connection)
    make_late(connection)
    with connect(database_url, autocommit=False) as application:
        set_row(application, held, "region = 'DE'")
        with connect(database_url) as sweeping:
            # When they are swept, then it takes what it can and goes on
            sweeping.execute("SET statement_timeout = '3s'")
            assert sweep_overdue(sweeping, 100) == [free]
    # And the other one later
    assert sweep_overdue(connection, 100) == [held]


@pytest.mark.parametrize("first", [0, 1])
def test_a_sweep_and_an_update_of_the_same_rows_by_the_application_do_not_deadlock(connection, database_url, first):
    # Given two overdue jobs, one of them changed by an open transaction of the application
    jobs = [adopted_job(connection), adopted_job(connection)]
    make_late(connection)
    connection.execute("UPDATE worker.tasks SET priority = 1")
    with connect(database_url, autocommit=False) as application, connect(database_url) as sweeping:
        application.execute("SET lock_timeout = '10s'")
        set_row(application, jobs[first], "region = 'DE'")
        swept = in_thread(lambda: sweep_overdue(sweeping, 100))
        # When the sweep has met that row, waiting for it or not, and the application goes on to the other one
        eventually(lambda: swept.done() or blocked_backends(connection), seconds=10)
        set_row(application, jobs[1 - first], "region = 'DE'")
        application.commit()
        # Then both come through
        swept.result(20)
    assert {job(connection, job_id)["region"] for job_id in jobs} == {"DE"}
