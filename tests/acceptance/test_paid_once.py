"""What is bought once is not bought again: creators that several jobs meet at once, and pages that are given up."""

from collections import Counter

import pytest

from platforms.simulator.running import running_simulator
from platforms.simulator.settings import PROFILE_PATH, SEARCH_PATH
from tests.fleet import eventually, fleet_of
from tests.jobs import assert_counters_are_true, insert_job, is_final, job, state, stored_creators

pytestmark = pytest.mark.slow


@pytest.fixture
def simulator():
    with running_simulator("--items-per-query", "60") as running:
        yield running


@pytest.fixture
def fleet(database_url, redis_url, simulator, tmp_path):
    """Two workers that take one job each, so that jobs at the same time are in two processes."""
    settings = {"TRAWLER_SLOTS": "1", "TRAWLER_BREAKER_SECONDS": "2"}
    with fleet_of(database_url, redis_url, simulator, tmp_path, 2, **settings) as running:
        yield running


def put_in_twice(connection):
    return [insert_job(connection, user_id=user, keywords=["lamp"], target_results=25) for user in ("ann", "bob")]


def looked_up(simulator):
    """How often each creator was asked for."""
    return Counter(call["params"]["handle"] for call in simulator.calls(PROFILE_PATH))


def statuses(connection, job_id):
    return Counter(creator["enhancementStatus"] for creator in stored_creators(connection, job_id))


def test_two_jobs_in_two_processes_that_meet_the_same_creators_pay_each_once(fleet, connection, simulator):
    # Given look-ups that take long enough for both jobs to want the same ones
    simulator.set_fault("slow", PROFILE_PATH, seconds=0.5)
    ids = put_in_twice(connection)
    eventually(lambda: all(is_final(connection, job_id) for job_id in ids))
    # Then each creator was paid for once, and both jobs have all
    owners = connection.execute("SELECT count(DISTINCT owner) FROM worker.attempts").fetchone()
    assert owners == (2,), "both jobs were in one process, which shows nothing"
    assert len(looked_up(simulator)) >= 25
    assert set(looked_up(simulator).values()) == {1}
    for job_id in ids:
        assert statuses(connection, job_id) == {"completed": 25}
        assert_counters_are_true(connection, job_id)
    assert connection.execute("SELECT count(*) FROM worker.profile_claims").fetchone() == (0,)


def test_the_second_takes_over_when_the_first_dies_in_the_middle(fleet, connection, simulator):
    # Given a worker whose look-ups are under way, and another that waits for them
    simulator.set_fault("gate", PROFILE_PATH, times=10)
    ids = put_in_twice(connection)
    assert simulator.wait_for_gate(10, timeout_seconds=30) == 10
    (claimed,) = connection.execute("SELECT count(*) FROM worker.profile_claims").fetchone()
    assert claimed >= 10
    first = dict(
        connection.execute(
            "SELECT w.pid, t.job_id FROM worker.tasks t JOIN worker.workers w ON w.id = t.owner"
            " WHERE t.state = 'leased' ORDER BY t.claimed_at"
        ).fetchall()
    )
    # When the one that holds the claims dies
    asked = looked_up(simulator)
    holder = next(iter(first))
    victim = next(process for process in fleet.processes if process.pid == holder)
    fleet.kill(victim)
    simulator.open_gate()
    # Then the other looks all of them up, once
    eventually(lambda: is_final(connection, ids[0]) or is_final(connection, ids[1]))
    fleet.worker()
    eventually(lambda: all(is_final(connection, job_id) for job_id in ids))
    assert set((looked_up(simulator) - asked).values()) == {1}
    assert [statuses(connection, job_id) for job_id in ids] == [{"completed": 25}] * 2


def test_a_look_up_that_fails_marks_its_creator_alone(fleet, connection, simulator):
    simulator.set_fault("status", PROFILE_PATH, status=400, after=3, times=1)
    job_id = insert_job(connection, keywords=["lamp"], target_results=25)
    eventually(lambda: is_final(connection, job_id))
    assert job(connection, job_id)["status"] == "completed"
    assert statuses(connection, job_id) == {"completed": 24, "failed": 1}


def test_a_page_given_up_for_its_profiles_is_in_the_ledger_and_its_profiles_are_kept(fleet, connection, simulator):
    # Given a balance that is gone after five of the first page's creators
    simulator.set_fault("balance_gone", PROFILE_PATH, after=5)
    job_id = insert_job(connection, keywords=["lamp"], target_results=25)
    eventually(lambda: state(connection, job_id) == "waiting")
    # Then the page and the look-ups that were paid for are in the ledger, though no page is
    assert connection.execute("SELECT count(*) FROM worker.pages").fetchone() == (0,)
    spent = dict(
        connection.execute(
            "SELECT endpoint, sum(credits)::integer FROM worker.spend WHERE job_id = %s GROUP BY endpoint", (job_id,)
        ).fetchall()
    )
    assert spent["tiktok/search/keyword"] >= 1
    assert spent["tiktok/profile"] == 5
    # When somebody has paid
    simulator.clear_faults()
    eventually(lambda: is_final(connection, job_id))
    # Then those five are not bought again, and the ledger is what the provider charged
    answered = Counter(call["params"]["handle"] for call in simulator.calls(PROFILE_PATH) if call["status"] == 200)
    assert set(answered.values()) == {1}
    assert statuses(connection, job_id) == {"completed": 25}
    (total,) = connection.execute("SELECT sum(credits)::integer FROM worker.spend").fetchone()
    assert total == simulator.credits_charged()
    assert len(simulator.calls(SEARCH_PATH)) >= 2
