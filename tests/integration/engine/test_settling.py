"""How a slice's ending is written to row, task and attempts, once."""

from datetime import timedelta
from uuid import uuid4

import pytest

from db.queries import settling
from db.session import connect, make_pool
from tests.fleet import eventually
from tests.integration.engine.steps import (
    OWNER,
    adopt,
    attempts,
    blocked_backends,
    claim,
    claimed_job,
    everything,
    in_loop,
    lease_of,
    page_of,
    set_row,
    set_task,
    value,
    wait_until_blocked,
)
from tests.jobs import assert_counters_are_true, job, task
from worker.committing import commit
from worker.job_states import Decision, Ending
from worker.settling import settle

pytestmark = pytest.mark.usefixtures("lanes")

DECISIONS = {
    Ending.COMPLETED: Decision(Ending.COMPLETED, "target_reached"),
    Ending.ERROR: Decision(Ending.ERROR, "bad_query", "neither keywords nor a user name; give one of them"),
    Ending.TIMEOUT: Decision(Ending.TIMEOUT, "deadline", "timeout_at passed"),
    Ending.OUTSIDE: Decision(Ending.OUTSIDE, "row_changed"),
    Ending.CONTINUE: Decision(Ending.CONTINUE, "slice_ended"),
    Ending.WAIT: Decision(Ending.WAIT, "rate_limited", "429", timedelta(minutes=5)),
    Ending.RETRY: Decision(Ending.RETRY, "http_500", "the provider said 500", timedelta(seconds=30)),
}


def assert_lease_given_up(connection, claimed):
    settled = task(connection, claimed.job_id)
    assert (settled["token"], settled["owner"], settled["expires_at"]) == (None, None, None)
    assert (settled["last_token"], settled["slices"]) == (claimed.token, 1)
    return settled


@pytest.mark.parametrize("ending", [Ending.COMPLETED, Ending.ERROR, Ending.TIMEOUT])
async def test_an_end_closes_task_and_row_and_keeps_the_results(connection, pool, ending):
    # Given a job with a page of two out of a hundred
    job_id, claimed = await claimed_job(connection, pool)
    await commit(pool, lease_of(claimed), page_of(claimed))
    decision = DECISIONS[ending]
    # When its slice ends for good
    await settle(pool, lease_of(claimed), OWNER, decision)
    # Then the row says what and why, the task says the reason, the attempt is noted
    row, closed = job(connection, job_id), assert_lease_given_up(connection, claimed)
    assert (row["status"], row["error"]) == (ending.value, decision.detail)
    assert row["progress"] == (100 if ending is Ending.COMPLETED else 2)
    assert (closed["state"], closed["end_reason"]) == ("closed", decision.reason)
    assert closed["closed_at"] is not None
    assert attempts(connection, claimed.id) == [(ending.value, decision.reason, decision.detail)]
    assert value(connection, "SELECT completed_at > worker.utc_now() - interval '1 min' FROM scraping_jobs")
    assert_counters_are_true(connection, job_id)


@pytest.mark.parametrize(
    ("ending", "state", "reason", "failures", "waits", "seconds"),
    [
        (Ending.CONTINUE, "ready", None, 1, 1, None),
        (Ending.WAIT, "waiting", "rate_limited", 1, 2, 300),
        (Ending.RETRY, "waiting", "http_500", 2, 1, 30),
    ],
)
async def test_a_task_given_back_goes_on_later_and_the_row_stays_processing(
    connection, pool, ending, state, reason, failures, waits, seconds
):
    # Given a task with one failure, one wait and one crash behind it
    job_id, claimed = await claimed_job(connection, pool)
    set_task(connection, claimed.id, "failures = 1, waits = 1, crashes = 1")
    before_row, before = job(connection, job_id), task(connection, job_id)
    # When it is given back
    await settle(pool, lease_of(claimed), OWNER, DECISIONS[ending])
    # Then it is due when it should be, only a retry spends an attempt, and the row does not flicker
    back = assert_lease_given_up(connection, claimed)
    assert (back["state"], back["wait_reason"], back["failures"], back["waits"]) == (state, reason, failures, waits)
    assert back["crashes"] == 1
    if seconds is None:
        assert back["run_at"] == before["run_at"]
    else:
        due_in = value(connection, "SELECT extract(epoch FROM run_at - clock_timestamp()) FROM worker.tasks")
        assert seconds - 5 < due_in <= seconds
    assert job(connection, job_id) == before_row
    assert [(outcome, why) for outcome, why, _ in attempts(connection, claimed.id)] == [
        (ending.value, DECISIONS[ending].reason)
    ]


async def test_a_lost_lease_writes_nothing(connection, pool):
    _, claimed = await claimed_job(connection, pool)
    before = everything(connection)
    await settle(pool, lease_of(claimed), OWNER, Decision(Ending.LOST, "authority_lost"))
    assert everything(connection) == before


@pytest.mark.parametrize("ending", DECISIONS)
async def test_a_token_that_is_no_longer_the_task_s_settles_nothing(connection, pool, ending):
    # Given a task that another has
    _, zombie = await claimed_job(connection, pool)
    set_task(connection, zombie.id, f"token = '{uuid4()}', epoch = epoch + 1")
    before = everything(connection)
    await settle(pool, lease_of(zombie), OWNER, DECISIONS[ending])
    assert everything(connection) == before


@pytest.mark.parametrize("ending", DECISIONS)
async def test_settling_again_after_a_lost_reply_changes_nothing_and_knows_its_own(connection, pool, ending):
    _, claimed = await claimed_job(connection, pool)
    await settle(pool, lease_of(claimed), OWNER, DECISIONS[ending])
    before = everything(connection)
    await settle(pool, lease_of(claimed), OWNER, DECISIONS[ending])
    assert everything(connection) == before
    async with pool.connection() as own:
        assert await settling.settled_by(own, claimed.id, claimed.token)
        assert not await settling.settled_by(own, claimed.id, uuid4())


def test_a_backend_that_dies_while_settling_leaves_nothing_and_the_repeat_settles_once(connection, database_url):
    async def claim_it():
        async with make_pool(database_url, "test pool", 1) as pool:
            return await claimed_job(connection, pool)

    job_id, claimed = in_loop(claim_it).result(20)

    async def settle_it():
        async with make_pool(database_url, "test pool", 2) as pool:
            await settle(pool, lease_of(claimed), OWNER, DECISIONS[Ending.COMPLETED])

    # Given a settle that waits for the row
    with connect(database_url, autocommit=False) as application:
        application.execute("SELECT FROM scraping_jobs FOR UPDATE")
        settling_it = in_loop(settle_it)
        (pid,) = wait_until_blocked(connection)
        # When its backend is ended
        assert value(connection, "SELECT pg_terminate_backend(%s)", pid)
        eventually(lambda: set(blocked_backends(connection)) - {pid}, seconds=10)
        application.rollback()
    settling_it.result(20)
    # Then it is settled once
    assert job(connection, job_id)["status"] == "completed"
    assert attempts(connection, claimed.id) == [("completed", "target_reached", None)]


@pytest.mark.parametrize("change", ["status = 'cancelled'", "status = 'timeout', error = 'theirs'"])
@pytest.mark.parametrize("ending", [Ending.COMPLETED, Ending.ERROR, Ending.OUTSIDE])
async def test_a_row_the_application_ended_keeps_its_word(connection, pool, ending, change):
    job_id, claimed = await claimed_job(connection, pool)
    set_row(connection, job_id, change)
    before = job(connection, job_id)
    await settle(pool, lease_of(claimed), OWNER, DECISIONS[ending])
    assert job(connection, job_id) == before
    assert task(connection, job_id)["state"] == "closed"


async def test_an_outside_end_of_a_row_set_to_pending_is_reopened_by_adoption(connection, pool):
    # Given a running job that the application reset; its entry in the inbox was dropped, because the task was open
    job_id, claimed = await claimed_job(connection, pool)
    set_row(connection, job_id, "status = 'pending'")
    assert adopt(connection) == (1, [])
    # When the slice sees it and leaves
    await settle(pool, lease_of(claimed), OWNER, DECISIONS[Ending.OUTSIDE])
    assert task(connection, job_id)["end_reason"] == "outside"
    # Then the inbox names the row again, and the job goes on
    assert adopt(connection)[0] == 1
    (again,) = await claim(pool)
    assert (again.id, again.epoch) == (claimed.id, 2)
    assert job(connection, job_id)["status"] == "processing"


@pytest.mark.parametrize("ending", [Ending.COMPLETED, Ending.ERROR, Ending.TIMEOUT])
async def test_a_row_reset_just_before_its_slice_ended_is_reopened_by_the_next_tick(connection, pool, ending):
    # Given a running job that the application reset after its last page; the inbox entry was dropped
    job_id, claimed = await claimed_job(connection, pool)
    set_row(connection, job_id, "status = 'pending'")
    assert adopt(connection) == (1, [])
    # When its slice ends without having seen it
    await settle(pool, lease_of(claimed), OWNER, DECISIONS[ending])
    # Then the row is still pending, and adoption reopens its task without the full sweep
    assert job(connection, job_id)["status"] == "pending"
    adopt(connection)
    assert task(connection, job_id)["state"] == "ready"


async def test_an_outside_end_of_a_deleted_row_leaves_nothing_open(connection, pool):
    job_id, claimed = await claimed_job(connection, pool)
    connection.execute("DELETE FROM scraping_jobs")
    await settle(pool, lease_of(claimed), OWNER, DECISIONS[Ending.OUTSIDE])
    assert adopt(connection) == (1, [])
    assert task(connection, job_id)["state"] == "closed"


@pytest.mark.parametrize("text", ["cut \x00 here", "half \ud83d", "x" * 100_000], ids=["NUL", "surrogate", "long"])
@pytest.mark.parametrize("ending", [Ending.ERROR, Ending.RETRY])
async def test_whatever_a_provider_said_the_ending_is_written(connection, pool, ending, text):
    # Given an error text as it came from outside
    job_id, claimed = await claimed_job(connection, pool)
    # When the slice ends with it
    await settle(pool, lease_of(claimed), OWNER, Decision(ending, "odd_answer", f"the provider said {text}"))
    # Then the task is settled and the text is there, made safe and cut
    assert task(connection, job_id)["state"] == ("closed" if ending is Ending.ERROR else "waiting")
    ((_, _, detail),) = attempts(connection, claimed.id)
    assert detail.startswith("the provider said")
    assert len(detail) <= 4000
