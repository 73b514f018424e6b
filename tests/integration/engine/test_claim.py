"""Who gets which task: order, caps, turns, lost replies, and rows that are not ours to take."""

from collections import Counter
from datetime import timedelta
from uuid import uuid4

import psycopg
import pytest
from psycopg import AsyncConnection

from db.queries.adopting import adopt_from_inbox
from db.queries.lanes import wanted_wakeups
from db.session import connect
from tests.integration.engine.steps import (
    JOB_LANE,
    LANE,
    OWNER,
    adopt,
    adopted_job,
    attempts,
    blocked_backends,
    claim,
    claim_on,
    claimed_job,
    in_loop,
    lease_of,
    set_row,
    set_task,
    value,
    wait_until_blocked,
)
from tests.jobs import background_job, insert_background_job, insert_job, job, task
from worker.job_states import Decision, Ending
from worker.settling import settle

pytestmark = pytest.mark.usefixtures("lanes")


def set_lane(connection, assignments):
    connection.execute(f"UPDATE worker.lanes SET {assignments} WHERE lane = %s".encode(), (LANE,))


def set_age(connection, job_id, minutes, priority=100):
    connection.execute(
        "UPDATE worker.tasks SET run_at = now() - make_interval(mins => %s), priority = %s WHERE job_id = %s",
        (minutes, priority, job_id),
    )


async def order_of(pool, count):
    return [claimed.job_id for _ in range(count) for claimed in await claim(pool)]


async def test_a_claim_says_whose_the_task_is_and_starts_the_row(connection, pool):
    job_id = adopted_job(connection)
    (claimed,) = await claim(pool)
    leased, row = task(connection, job_id), job(connection, job_id)
    assert (leased["state"], leased["token"], leased["owner"], leased["epoch"]) == ("leased", claimed.token, OWNER, 1)
    assert leased["expires_at"] - leased["claimed_at"] == pytest.approx(timedelta(seconds=60), abs=timedelta(seconds=1))
    assert row["status"] == "processing"
    assert value(
        connection,
        "SELECT started_at BETWEEN worker.utc_now() - interval '1 min' AND worker.utc_now()"
        " AND timeout_at - started_at BETWEEN '59 min' AND '61 min' FROM scraping_jobs",
    )


async def test_the_default_deadline_is_set_once_and_kept_by_later_claims(connection, pool):
    # Given a job that had its first slice
    job_id, claimed = await claimed_job(connection, pool)
    first = job(connection, job_id)
    await settle(pool, lease_of(claimed), OWNER, Decision(Ending.CONTINUE, "slice_ended"))
    # When it is claimed again
    (again,) = await claim(pool)
    # Then its start and deadline stand, and its epoch has grown
    second = job(connection, job_id)
    assert (second["started_at"], second["timeout_at"]) == (first["started_at"], first["timeout_at"])
    assert (claimed.epoch, again.epoch, again.slices) == (1, 2, 1)


@pytest.mark.parametrize("zone", ["UTC", "America/New_York"])
async def test_a_deadline_of_the_application_is_kept(connection, database_url, zone):
    adopted_job(connection, timeout_at="2031-07-01 12:00:00")
    async with await AsyncConnection.connect(database_url, autocommit=True, prepare_threshold=None) as own:
        await own.execute(f"SET TIME ZONE '{zone}'".encode())
        (claimed,) = await claim_on(own)
    assert value(connection, "SELECT timeout_at::text FROM scraping_jobs") == "2031-07-01 12:00:00"
    assert value(
        connection, "SELECT deadline_at = '2031-07-01 12:00:00+00' FROM worker.tasks WHERE id = %s", claimed.id
    )


async def test_the_lower_priority_number_goes_first_and_then_the_older(connection, pool):
    # Given three tasks of one tenant
    young, old, urgent = (adopted_job(connection) for _ in range(3))
    set_age(connection, young, 1)
    set_age(connection, old, 2)
    set_age(connection, urgent, 0, priority=10)
    # Then they come in this order
    assert await order_of(pool, 3) == [urgent, old, young]


async def test_between_tenants_a_long_wait_outweighs_priority(connection, pool):
    # Given an urgent young task and an unimportant one of another tenant that waited two hours: 120 points of age
    urgent, patient = adopted_job(connection, user_id="a"), adopted_job(connection, user_id="b")
    set_age(connection, urgent, 0, priority=50)
    set_age(connection, patient, 120, priority=100)
    assert await order_of(pool, 2) == [patient, urgent]


async def test_a_continued_task_keeps_its_place_before_younger_ones_of_its_tenant(connection, pool):
    # Given a tenant's first job that was given back at the end of its slice
    first = adopted_job(connection)
    (claimed,) = await claim(pool)
    second = adopted_job(connection)
    await settle(pool, lease_of(claimed), OWNER, Decision(Ending.CONTINUE, "slice_ended"))
    # Then it is finished before the second is begun
    assert await order_of(pool, 2) == [first, second]


async def test_tenants_take_turns_however_much_one_of_them_wants(connection, pool):
    # Given one tenant with six old jobs and two with one or two young jobs
    for _ in range(6):
        set_age(connection, adopted_job(connection, user_id="greedy"), 5)
    for tenant in ("b", "c", "c"):
        adopted_job(connection, user_id=tenant)
    # When nine slots are filled one by one
    tenants = [claimed.tenant for _ in range(9) for claimed in await claim(pool)]
    # Then everybody got a first before anybody got a second
    assert sorted(tenants[:3]) == ["b", "c", "greedy"]
    assert sorted(tenants[3:5]) == ["c", "greedy"]


async def test_equal_tenants_are_served_in_turn_by_one_slot(connection, pool):
    # Given two tenants with three jobs each and a single slot
    set_lane(connection, "max_running = 1")
    for tenant in ("a", "a", "a", "b", "b", "b"):
        adopted_job(connection, user_id=tenant)
    order = []
    # When each job runs for one slice and leaves the lane
    for _ in range(6):
        (claimed,) = await claim(pool)
        order.append(claimed.tenant)
        await settle(pool, lease_of(claimed), OWNER, Decision(Ending.WAIT, "quota", delay=timedelta(hours=1)))
    # Then the slot went back and forth
    assert order in (["a", "b"] * 3, ["b", "a"] * 3)


async def test_caps_of_lane_and_tenant_hold_and_a_place_given_back_is_taken_again(connection, pool):
    # Given a lane for three, two a tenant
    set_lane(connection, "max_running = 3, max_per_tenant = 2")
    for tenant in ("a", "a", "a", "b", "b"):
        adopted_job(connection, user_id=tenant)
    # When five slots ask at once
    claimed = await claim(pool, count=5)
    # Then three got work
    assert len(claimed) == 3
    assert max(Counter(task.tenant for task in claimed).values()) == 2
    assert await claim(pool) == []
    # And one more when one ends
    await settle(pool, lease_of(claimed[0]), OWNER, Decision(Ending.COMPLETED, "exhausted"))
    assert len(await claim(pool, count=5)) == 1


async def test_jobs_of_nobody_are_capped_by_their_lane_alone(connection, pool):
    # Given a tenant's cap of two, a lane's of five, and jobs of nobody and of a user
    connection.execute("UPDATE worker.lanes SET max_per_tenant = 2, max_running = 5")
    for payload in [{}] * 4 + [{"userId": "user_1"}] * 4:
        insert_background_job(connection, "noop", payload)
    adopt_from_inbox(connection, "background_jobs", 100)
    assert wanted_wakeups(connection) == {JOB_LANE: 5}
    # Then both get their share, and the user no more than the cap
    claimed = await claim(pool, count=10, lane=JOB_LANE)
    assert sorted(one.tenant for one in claimed) == ["-", "-", "-", "user_1", "user_1"]


async def test_a_tenant_at_its_cap_gets_nothing_while_the_lane_has_room(connection, pool):
    set_lane(connection, "max_per_tenant = 1")
    for _ in range(2):
        adopted_job(connection)
    assert len(await claim(pool, count=2)) == 1
    assert await claim(pool) == []


@pytest.mark.parametrize(
    "resting", ["paused = true", "cooldown_until = clock_timestamp() + interval '1 min'", "max_running = 0"]
)
async def test_a_resting_lane_gives_nothing_until_it_is_awake(connection, pool, resting):
    adopted_job(connection)
    set_lane(connection, resting)
    assert await claim(pool) == []
    set_lane(connection, "paused = false, cooldown_until = clock_timestamp() - interval '1 s', max_running = 1")
    assert len(await claim(pool)) == 1


async def test_an_unknown_lane_gives_nothing(pool):
    assert await claim(pool, lane="scrape.nowhere") == []


async def test_after_a_lost_reply_the_same_tokens_give_the_same_tasks(connection, pool):
    for _ in range(4):
        adopted_job(connection)
    tokens = [uuid4(), uuid4()]
    first = await claim(pool, tokens)
    assert sorted(claimed.token for claimed in first) == sorted(tokens)
    assert sorted(await claim(pool, tokens), key=lambda t: t.id) == sorted(first, key=lambda t: t.id)
    assert value(connection, "SELECT count(*) FROM worker.tasks WHERE state = 'leased'") == 2


def test_a_claim_asked_again_while_the_first_is_still_at_it_leases_one_task(connection, database_url):
    # Given two tasks, and a lane that somebody holds for a moment
    for _ in range(2):
        adopted_job(connection)
    tokens = [uuid4()]

    async def ask():
        async with await AsyncConnection.connect(database_url, autocommit=True, prepare_threshold=None) as own:
            return await claim_on(own, tokens)

    with connect(database_url, autocommit=False) as holder:
        holder.execute("SELECT FROM worker.lanes WHERE lane = %s FOR UPDATE", (LANE,))
        # When a claim waits there, its client gives up on the reply and asks again with the same token
        first = in_loop(ask)
        wait_until_blocked(connection, 1)
        second = in_loop(ask)
        wait_until_blocked(connection, 2)
        holder.commit()
        answers = first.result(10), second.result(10)
    # Then both replies name the one task that has the token
    assert answers[0] == answers[1]
    assert value(connection, "SELECT count(*) FROM worker.tasks WHERE state = 'leased'") == 1


async def test_a_row_that_somebody_else_started_is_theirs(connection, pool):
    # Given a row that another worker set to processing between adoption and claim, and a second job
    theirs = adopted_job(connection)
    set_row(connection, theirs, "status = 'processing'")
    before = job(connection, theirs)
    ours = adopted_job(connection)
    # When a slot asks
    claimed = await claim(pool)
    # Then it gets the second; the first is closed and its row untouched
    assert [task.job_id for task in claimed] == [ours]
    assert (task(connection, theirs)["state"], task(connection, theirs)["end_reason"]) == ("closed", "outside")
    assert job(connection, theirs) == before


@pytest.mark.parametrize("status", ["completed", "error", "timeout", "cancelled", "searching"])
async def test_a_row_that_was_ended_meanwhile_closes_its_task(connection, pool, status):
    ended = adopted_job(connection)
    set_row(connection, ended, f"status = '{status}'")
    before = job(connection, ended)
    assert await claim(pool) == []
    assert (task(connection, ended)["state"], task(connection, ended)["end_reason"]) == ("closed", "outside")
    assert job(connection, ended) == before
    assert attempts(connection, task(connection, ended)["id"]) == []


async def test_a_row_that_was_deleted_closes_its_task(connection, pool):
    gone = adopted_job(connection)
    connection.execute("DELETE FROM scraping_jobs")
    assert await claim(pool) == []
    assert task(connection, gone)["end_reason"] == "outside"


async def test_a_row_that_the_application_holds_locked_does_not_stop_its_lane(connection, database_url, pool):
    # Given the lane's best task, whose row an open transaction of the application has changed, and another
    held = adopted_job(connection)
    set_age(connection, held, 10)
    free = adopted_job(connection)
    with connect(database_url, autocommit=False) as application:
        set_row(application, held, "region = 'DE'")
        # When a slot asks, it gets the other one
        assert [claimed.job_id for claimed in await claim(pool)] == [free]
    # And the first once the application is done
    assert [claimed.job_id for claimed in await claim(pool)] == [held]


async def test_a_lane_that_stays_locked_is_an_error_within_seconds(connection, database_url, pool):
    adopted_job(connection)
    with connect(database_url, autocommit=False) as holder:
        holder.execute("SELECT FROM worker.lanes WHERE lane = %s FOR UPDATE", (LANE,))
        with pytest.raises(psycopg.errors.LockNotAvailable):
            await claim(pool)
    assert len(await claim(pool)) == 1


def test_eight_processes_claiming_at_once_never_pass_the_cap(connection, database_url):
    # Given a lane for five with two hundred ready tasks, and a look-out that no two claims can fool: each claim's own
    # transaction counts the live leases before it commits
    set_lane(connection, "max_running = 5, max_per_tenant = 5")
    for tenant in range(10):
        connection.execute(
            "INSERT INTO scraping_jobs (user_id, platform) SELECT %s, 'TikTok' FROM generate_series(1, 20)",
            (f"{tenant}",),
        )
    adopt(connection)

    end = (
        "UPDATE worker.tasks SET state = 'closed', closed_at = clock_timestamp(), token = NULL, expires_at = NULL"
        " WHERE id = ANY (%s)"
    )

    async def process():
        most, got, held = 0, 0, []
        async with await AsyncConnection.connect(database_url, autocommit=True, prepare_threshold=None) as own:
            while got < 25:
                claimed = await claim_on(own)
                cursor = await own.execute("SELECT count(*) FROM worker.tasks WHERE state = 'leased'")
                most = max(most, (await cursor.fetchone())[0])
                # What the round before got ends only now, so that the lane is full while others ask.
                await own.execute(end, (held,))
                held = [task.id for task in claimed]
                got += len(held)
            await own.execute(end, (held,))
        return most

    # When eight connections claim and finish all of them
    most = [future.result(60) for future in [in_loop(process) for _ in range(8)]]
    # Then five ran at once, never six, and none ran twice
    assert max(most) == 5
    assert connection.execute("SELECT DISTINCT epoch FROM worker.tasks").fetchall() == [(1,)]
    assert blocked_backends(connection) == []


async def test_closed_waiting_and_parked_tasks_are_not_given_out(connection, pool):
    for state in ("waiting", "closed", "parked"):
        claimed = task(connection, adopted_job(connection))
        closed = "NULL" if state == "waiting" else "now()"
        set_task(connection, claimed["id"], f"state = '{state}', closed_at = {closed}")
    assert await claim(pool) == []
    insert_job(connection)
    assert await claim(pool) == [], "a row that nobody adopted has no task"


async def test_a_claim_of_many_jobs_starts_the_ordinary_ones_and_judges_each_of_the_others(
    connection, pool, database_url
):
    # Given ten background jobs of one user
    connection.execute("UPDATE worker.lanes SET max_per_tenant = 256")
    jobs = [insert_background_job(connection, "noop", error="from before") for _ in range(10)]
    adopt_from_inbox(connection, "background_jobs", 1000)
    held, ended, gone, later = jobs[1:5]
    # And of these one that the application holds, one it ended, one it deleted and one it put off
    connection.execute("UPDATE background_jobs SET status = 'cancelled' WHERE id = %s::uuid", (ended,))
    connection.execute("DELETE FROM background_jobs WHERE id = %s::uuid", (gone,))
    connection.execute(
        "UPDATE background_jobs SET scheduled_for = worker.utc_now() + interval '1 hour' WHERE id = %s::uuid", (later,)
    )
    with connect(database_url, autocommit=False) as application:
        application.execute("SELECT FROM background_jobs WHERE id = %s::uuid FOR UPDATE", (held,))
        # When they are claimed at once
        tokens = [uuid4() for _ in range(10)]
        claimed = await claim(pool, tokens, lane=JOB_LANE)
        # Then all others are leased, each with a token of its own, and their rows started
        assert sorted(one.job_id for one in claimed) == sorted([jobs[0], *jobs[5:]])
        assert len({one.token for one in claimed}) == 6
        assert {one.token for one in claimed} <= set(tokens)
        for one in claimed:
            row, leased = background_job(connection, one.job_id), task(connection, one.job_id)
            assert (row["status"], row["error"]) == ("processing", None)
            assert row["started_at"] is not None
            assert (leased["state"], leased["owner"], leased["epoch"]) == ("leased", OWNER, 1)
            assert leased["deadline_at"] is None
        # And each of the odd ones is as it would be alone
        states = {job_id: task(connection, job_id)["state"] for job_id in (held, ended, gone, later)}
        assert states == {held: "ready", ended: "closed", gone: "closed", later: "waiting"}
        assert background_job(connection, ended)["status"] == "cancelled"
        assert background_job(connection, later)["status"] == "pending"
        # And the same tokens give the same tasks
        again = await claim(pool, tokens, lane=JOB_LANE)
        assert sorted(one.id for one in again) == sorted(one.id for one in claimed)
