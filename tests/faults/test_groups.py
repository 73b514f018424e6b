"""Workers that are ended, killed or put to sleep in the middle of a group."""

import signal

import pytest

from tests.fleet import Fleet, eventually
from tests.handlers import SETTINGS, waits_at_the_gate
from tests.jobs import attempts, background_is_final, background_job, insert_background_job, task

NO_PROVIDER = "http://127.0.0.1:9"
PARK_AFTER = 3
MANY = 20
END_SECONDS = 30
DONE = ("completed", "done")
CRASHED_IN_GROUP = ("crashed", "group_lease_expired")
TIMERS = {
    "TRAWLER_LEASE_SECONDS": "2",
    "TRAWLER_BEAT_SECONDS": "0.4",
    "TRAWLER_PARK_AFTER_CRASHES": str(PARK_AFTER),
    "TRAWLER_BACKGROUND_BATCH": "1",
}


@pytest.fixture
def fleet(database_url, redis_url, tmp_path):
    """A fleet with a reconciler and no worker yet."""
    with Fleet(database_url, redis_url, NO_PROVIDER, tmp_path, **SETTINGS, **TIMERS) as fleet:
        fleet.reconciler()
        yield fleet


def put_in(connection, does: str, **payload) -> tuple[list[str], str, list[str]]:
    """Jobs of one group, with one in the middle that does this; give those before, it, and those behind."""
    with connection.transaction():
        before = [insert_background_job(connection, "grouped", priority=1) for _ in range(MANY)]
        odd = insert_background_job(connection, "grouped", {"does": does, **payload}, priority=2)
        behind = [insert_background_job(connection, "grouped", priority=3) for _ in range(MANY)]
    eventually(lambda: task_count(connection) == 2 * MANY + 1)
    return before, odd, behind


def task_count(connection) -> int:
    return connection.execute("SELECT count(*) FROM worker.tasks").fetchone()[0]


def all_final(connection, jobs) -> bool:
    return all(background_is_final(connection, job_id) for job_id in jobs)


def assert_done_once(connection, jobs, *before: tuple[str, str]) -> None:
    for job_id in jobs:
        assert background_job(connection, job_id)["status"] == "completed"
        assert attempts(connection, job_id) == [*before, DONE]


def test_a_worker_that_is_told_to_end_finishes_the_job_it_is_at_and_leaves_the_rest(fleet, connection, gate):
    # Given a worker in mid-group
    before, odd, behind = put_in(connection, "wait at the gate")
    worker = fleet.worker()
    eventually(lambda: waits_at_the_gate(connection))
    # When it is told to end, and its job goes on
    worker.send_signal(signal.SIGTERM)
    eventually(lambda: "worker_drains" in fleet.log())
    gate.rollback()
    # Then it ends well, with what it did, and the rest is there for the next at once
    assert worker.wait(END_SECONDS) == 0
    assert_done_once(connection, [*before, odd])
    assert not any(background_is_final(connection, job_id) for job_id in behind)
    fleet.worker()
    eventually(lambda: all_final(connection, behind))
    for job_id in behind:
        # Another of its slots may have claimed them in the moment it was told, and given them back.
        assert attempts(connection, job_id) in ([DONE], [("continue", "worker_stops"), DONE])


def test_a_worker_that_is_killed_costs_time_only(fleet, connection, gate):
    # Given a worker in mid-group
    before, odd, behind = put_in(connection, "wait at the gate", only_in_group=True)
    worker = fleet.worker()
    eventually(lambda: waits_at_the_gate(connection))
    # When it is killed
    fleet.kill(worker)
    gate.rollback()
    fleet.worker()
    # Then another does all of them once its lease is over, and each tells of the crash
    jobs = [*before, odd, *behind]
    eventually(lambda: all_final(connection, jobs))
    assert_done_once(connection, jobs, CRASHED_IN_GROUP)
    assert {task(connection, job_id)["crashes"] for job_id in jobs} == {0}


def test_a_worker_that_sleeps_past_its_lease_writes_nothing(fleet, connection, gate):
    # Given a worker in mid-group, put to sleep
    before, odd, behind = put_in(connection, "wait at the gate", only_in_group=True)
    sleeper = fleet.worker()
    eventually(lambda: waits_at_the_gate(connection))
    sleeper.send_signal(signal.SIGSTOP)
    gate.rollback()
    # When others have done its jobs, and it wakes up
    fleet.worker()
    jobs = [*before, odd, *behind]
    eventually(lambda: all_final(connection, jobs))
    sleeper.send_signal(signal.SIGCONT)
    settled = fleet.log().count("group_settled")
    eventually(lambda: fleet.log().count("group_settled") > settled)
    # Then nobody is done twice
    assert_done_once(connection, jobs, CRASHED_IN_GROUP)


@pytest.mark.slow
def test_a_job_that_kills_its_workers_is_parked_and_the_others_of_its_group_are_done(fleet, connection):
    before, odd, behind = put_in(connection, "kill")
    workers = [fleet.worker(TRAWLER_SLOTS="1")]

    def all_done() -> bool:
        if workers[-1].poll() is not None:
            workers.append(fleet.worker(TRAWLER_SLOTS="1"))
        connection.execute("UPDATE worker.tasks SET run_at = clock_timestamp() WHERE state = 'waiting'")
        return all_final(connection, [*before, odd, *behind])

    eventually(all_done, 100)
    assert_parked(connection, odd)
    assert {background_job(connection, job_id)["status"] for job_id in (*before, *behind)} == {"completed"}


def assert_parked(connection, job_id) -> None:
    parked = task(connection, job_id)
    assert (parked["state"], parked["crashes"], parked["failures"]) == ("parked", PARK_AFTER, 0)
    assert attempts(connection, job_id) == [CRASHED_IN_GROUP, *[("crashed", "lease_expired")] * PARK_AFTER]
    assert background_job(connection, job_id)["status"] == "failed"
