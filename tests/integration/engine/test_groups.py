"""Groups of background jobs: who gets which, how they end, and what is left when their holder is gone."""

import asyncio
from uuid import UUID, uuid4

import pytest
from psycopg import AsyncConnection

from db.queries import cancelling, grouping
from db.queries.adopting import adopt_from_inbox
from db.queries.sweeping import close_foreign
from db.session import Pool, connect, make_pool
from tests.faults.proxy import proxied
from tests.integration.engine.steps import JOB_LANE, OWNER, TTL, claim, everything, in_loop, value
from tests.jobs import attempts, background_job, insert_background_job, task
from worker.clock import monotonic
from worker.groups import Group, claim_group, close_group
from worker.settings import Settings

pytestmark = pytest.mark.usefixtures("lanes")

EVIDENCE = '{"group": 1}'
WITHOUT_ENV_FILE = {"_env_file": None}


def jobs_in(connection, count, **columns) -> list[str]:
    jobs = [insert_background_job(connection, "noop", **columns) for _ in range(count)]
    adopt_from_inbox(connection, "background_jobs", 1000)
    return jobs


async def group_on(connection: AsyncConnection, token: UUID, count=100):
    return await grouping.claim_group(connection, JOB_LANE, OWNER, token, count, TTL)


async def grouped(pool: Pool, count=100, token: UUID | None = None) -> list[str]:
    """Jobs that a group gets."""
    async with pool.connection() as connection:
        jobs, _ = await group_on(connection, token or uuid4(), count)
    return [job.job_id for job in jobs]


async def a_group(pool: Pool, count=100) -> Group:
    token = uuid4()
    async with pool.connection() as connection:
        jobs, more = await group_on(connection, token, count)
    return Group(JOB_LANE, token, jobs, more, monotonic(), monotonic() + TTL.total_seconds())


async def close(pool: Pool, group: Group, but=(), result='{"sent": true}') -> set[int]:
    return await close_group(pool, group, OWNER, [(job, result) for job in group.jobs if job.job_id not in but])


def done(connection, job_id) -> None:
    """Row, task and attempts say the same: done, once."""
    row, closed = background_job(connection, job_id), task(connection, job_id)
    assert (row["status"], row["result"], row["error"]) == ("completed", {"sent": True}, None)
    assert row["started_at"] <= row["completed_at"]
    assert (closed["state"], closed["end_reason"], closed["epoch"], closed["slices"]) == ("closed", "done", 1, 1)
    assert attempts(connection, job_id) == [("completed", "done")]


def left(connection, job_id) -> None:
    """Nothing was done, and it is for a lease of its own next."""
    assert background_job(connection, job_id)["status"] == "pending"
    assert (task(connection, job_id)["state"], task(connection, job_id)["slices"]) == ("ready", 1)


class TestAClaim:
    async def test_gives_the_next_jobs_in_the_lanes_order(self, connection, pool):
        late = jobs_in(connection, 3)
        soon = jobs_in(connection, 2, priority=5)
        assert await grouped(pool, 4) == [*soon, *late[:2]]
        assert await grouped(pool, 4) == late[2:]
        assert await grouped(pool, 4) == []

    async def test_with_the_same_token_gives_the_same_group(self, connection, pool):
        jobs_in(connection, 5)
        token = uuid4()
        first = await grouped(pool, 3, token)
        assert await grouped(pool, 3, token) == first
        assert value(connection, "SELECT count(*) FROM worker.group_leases") == 1

    async def test_leaves_to_leases_what_is_a_users_and_what_has_run_before(self, connection, pool):
        (plain,) = jobs_in(connection, 1)
        (users,) = jobs_in(connection, 1, payload={"userId": "user_1"})
        (again,) = jobs_in(connection, 1)
        connection.execute("UPDATE worker.tasks SET slices = 1 WHERE job_id = %s", (again,))
        group = await a_group(pool)
        assert [job.job_id for job in group.jobs] == [plain]
        assert group.more
        assert {claimed.job_id for claimed in await claim(pool, count=5, lane=JOB_LANE)} == {users, again}

    async def test_says_when_the_lane_has_nothing_else(self, connection, pool):
        jobs_in(connection, 3)
        assert not (await a_group(pool, 2)).more

    @pytest.mark.parametrize(
        "change",
        [
            "status = 'cancelled'",
            "status = 'processing'",
            "scheduled_for = worker.utc_now() + interval '1 hour'",
            "job_type = 'other'",
        ],
    )
    async def test_leaves_a_row_that_changed_since(self, connection, pool, change):
        odd, *others = jobs_in(connection, 3)
        connection.execute(f"UPDATE background_jobs SET {change} WHERE id = %s::uuid".encode(), (odd,))
        group = await a_group(pool)
        assert ([job.job_id for job in group.jobs], group.more) == (others, True)

    async def test_leaves_a_row_that_is_gone(self, connection, pool):
        odd, *others = jobs_in(connection, 3)
        connection.execute("DELETE FROM background_jobs WHERE id = %s::uuid", (odd,))
        assert await grouped(pool) == others

    @pytest.mark.parametrize(
        "held_back",
        ["paused = true", "cooldown_until = clock_timestamp() + interval '1 hour'", "max_running = 0"],
    )
    async def test_gets_nothing_of_a_lane_that_is_held_back(self, connection, pool, held_back):
        jobs_in(connection, 3)
        connection.execute(f"UPDATE worker.lanes SET {held_back} WHERE lane = %s".encode(), (JOB_LANE,))
        assert await grouped(pool) == []
        assert value(connection, "SELECT count(*) FROM worker.group_leases") == 0

    async def test_counts_as_one_running_task_of_its_lane(self, connection, pool):
        jobs_in(connection, 10)
        connection.execute("UPDATE worker.lanes SET max_running = 3 WHERE lane = %s", (JOB_LANE,))
        assert len(await grouped(pool, 2)) == 2
        assert len(await claim(pool, count=5, lane=JOB_LANE)) == 2
        assert await grouped(pool, 2) == []
        assert await claim(pool, count=5, lane=JOB_LANE) == []

    async def test_never_shares_a_job_with_another_group_or_a_lease(self, connection, pool, database_url):
        jobs = jobs_in(connection, 60)

        async def take() -> list[str]:
            async with make_pool(database_url, "another", 2) as own:
                got = await grouped(own, 7) + await grouped(own, 7)
                return got + [one.job_id for one in await claim(own, count=2, lane=JOB_LANE)]

        takers = [in_loop(take) for _ in range(4)]
        taken = [job for taker in takers for job in await asyncio.wrap_future(taker)]
        assert len(taken) == 4 * (7 + 7) + 4
        assert sorted(taken) == sorted(jobs)


class TestAClose:
    async def test_completes_all_that_it_is_told_of_by_one_statement(self, connection, pool):
        jobs = jobs_in(connection, 50)
        group = await a_group(pool)
        assert await close(pool, group) == {job.task_id for job in group.jobs}
        for job_id in jobs:
            done(connection, job_id)
        assert value(connection, "SELECT count(DISTINCT xmin::text) FROM worker.attempts") == 1
        assert value(connection, "SELECT bool_and(owner = %s AND evidence ? 'group') FROM worker.attempts", OWNER)
        assert value(connection, "SELECT count(*) FROM worker.group_leases") == 0

    async def test_leaves_the_others_to_a_lease_of_their_own(self, connection, pool):
        odd, *others = jobs_in(connection, 3)
        await close(pool, await a_group(pool), but=[odd])
        for job_id in others:
            done(connection, job_id)
        left(connection, odd)
        assert await grouped(pool) == []
        assert [claimed.job_id for claimed in await claim(pool, lane=JOB_LANE)] == [odd]

    async def test_after_its_lease_was_taken_back_writes_nothing(self, connection, pool):
        jobs_in(connection, 3)
        group = await a_group(pool)
        connection.execute("UPDATE worker.group_leases SET expires_at = clock_timestamp()")
        assert len(grouping.sweep_dead_groups(connection, 10)) == 1
        before = everything(connection)
        assert await close(pool, group) == set()
        assert everything(connection) == before

    async def test_completes_no_task_that_is_not_the_groups(self, connection, pool):
        mine, theirs = jobs_in(connection, 2)
        group, other = await a_group(pool, 1), await a_group(pool, 1)
        results = [(job, None) for job in (*group.jobs, *other.jobs)]
        assert await close_group(pool, group, OWNER, results) == {group.jobs[0].task_id}
        assert background_job(connection, mine)["status"] == "completed"
        assert background_job(connection, theirs)["status"] == "pending"
        assert task(connection, theirs)["slices"] == 0

    @pytest.mark.parametrize("change", ["status = 'cancelled'", "status = 'completed'", "status = 'failed'"])
    async def test_leaves_a_row_that_the_application_ended_its_word(self, connection, pool, change):
        odd, *others = jobs_in(connection, 3)
        group = await a_group(pool)
        connection.execute(f"UPDATE background_jobs SET {change} WHERE id = %s::uuid".encode(), (odd,))
        before = background_job(connection, odd)
        await close(pool, group)
        for job_id in others:
            done(connection, job_id)
        assert background_job(connection, odd) == before
        close_foreign(connection, 100)
        assert (task(connection, odd)["state"], task(connection, odd)["end_reason"]) == ("closed", "outside")

    @pytest.mark.parametrize("change", ['payload = \'{"text": "new"}\'', "status = 'pending'", "priority = 7"])
    async def test_leaves_a_row_that_the_application_changed_to_a_run_that_sees_the_change(
        self, connection, pool, change
    ):
        odd, *others = jobs_in(connection, 3)
        group = await a_group(pool)
        connection.execute(f"UPDATE background_jobs SET {change} WHERE id = %s::uuid".encode(), (odd,))
        await close(pool, group)
        for job_id in others:
            done(connection, job_id)
        left(connection, odd)

    async def test_does_not_complete_a_job_that_was_cancelled_or_put_off_meanwhile(self, connection, pool):
        cancelled, put_off, other = jobs_in(connection, 3)
        group = await a_group(pool)
        assert cancelling.cancel(connection, cancelled, "not wanted") == "ready"
        connection.execute(
            "UPDATE background_jobs SET scheduled_for = worker.utc_now() + interval '1 hour' WHERE id = %s::uuid",
            (put_off,),
        )
        await close(pool, group)
        done(connection, other)
        assert background_job(connection, cancelled)["status"] == "failed"
        left(connection, put_off)

    @pytest.mark.parametrize("lock", ["worker.tasks WHERE id = {task}", "background_jobs WHERE id = '{job}'"])
    async def test_waits_for_nobody(self, connection, pool, database_url, lock):
        odd, *others = jobs_in(connection, 3)
        group = await a_group(pool)
        with connect(database_url, autocommit=False) as other:
            held = lock.format(task=group.jobs[0].task_id, job=odd)
            other.execute(f"SELECT FROM {held} FOR UPDATE".encode())
            await close(pool, group)
            for job_id in others:
                done(connection, job_id)
        assert background_job(connection, odd)["status"] == "pending"
        assert task(connection, odd)["state"] == "ready"
        assert [claimed.job_id for claimed in await claim(pool, lane=JOB_LANE)] == [odd]

    async def test_with_a_result_that_postgres_refuses_leaves_all_to_leases(self, connection, pool):
        jobs = jobs_in(connection, 3)
        group = await a_group(pool)
        assert await close(pool, group, result='{"text": "before\\u0000after"}') == set()
        for job_id in jobs:
            left(connection, job_id)
        assert value(connection, "SELECT count(*) FROM worker.group_leases") == 0

    async def test_whose_reply_is_lost_knows_what_it_ended(self, connection, pool, database_url):
        jobs = jobs_in(connection, 20)
        with proxied(database_url) as proxy:
            async with make_pool(proxy.url, "test pool", 2) as own:
                group = await a_group(own)
                proxy.swallow_replies("WITH mine AS")
                assert await close(own, group) == {job.task_id for job in group.jobs}
            assert proxy.swallowed == 1
        for job_id in jobs:
            done(connection, job_id)


async def test_a_claim_whose_reply_is_lost_costs_no_second_group(connection, database_url):
    jobs_in(connection, 20)
    settings = Settings(**WITHOUT_ENV_FILE)
    with proxied(database_url) as proxy:
        async with make_pool(proxy.url, "test pool", 2) as own:
            proxy.swallow_replies("SELECT o_task")
            group = await claim_group(own, settings, JOB_LANE, OWNER, 5)
        assert proxy.swallowed == 1
    assert group is not None
    assert len(group.jobs) == 5
    assert value(connection, "SELECT array_agg(tasks) FROM worker.group_leases") == [
        [job.task_id for job in group.jobs]
    ]


class TestAGroupWhoseHolderIsGone:
    async def test_is_taken_back_and_each_job_runs_by_itself_next(self, connection, pool):
        jobs = jobs_in(connection, 3)
        await a_group(pool)
        connection.execute("UPDATE worker.group_leases SET expires_at = clock_timestamp()")
        (swept,) = grouping.sweep_dead_groups(connection, 10)
        assert (swept.lane, swept.owner, swept.tasks) == (JOB_LANE, OWNER, 3)
        for job_id in jobs:
            left(connection, job_id)
            # Nobody knows which of them did it, so none is counted.
            assert task(connection, job_id)["crashes"] == 0
            assert attempts(connection, job_id) == [("crashed", "group_lease_expired")]
        assert len(await claim(pool, count=5, lane=JOB_LANE)) == 3

    async def test_is_left_while_its_lease_is_good(self, connection, pool):
        jobs_in(connection, 3)
        await a_group(pool)
        before = everything(connection)
        assert grouping.sweep_dead_groups(connection, 10) == []
        assert everything(connection) == before

    async def test_is_taken_back_once_by_two_reconcilers(self, connection, pool, database_url):
        (job_id,) = jobs_in(connection, 1)
        await a_group(pool)
        connection.execute("UPDATE worker.group_leases SET expires_at = clock_timestamp()")
        with connect(database_url, autocommit=False) as other:
            assert len(grouping.sweep_dead_groups(other, 10)) == 1
            assert grouping.sweep_dead_groups(connection, 10) == []
            other.commit()
        assert attempts(connection, job_id) == [("crashed", "group_lease_expired")]

    async def test_whose_close_is_under_way_is_closed(self, connection, pool):
        (job_id,) = jobs_in(connection, 1)
        group = await a_group(pool)
        connection.execute("UPDATE worker.group_leases SET expires_at = clock_timestamp()")
        async with pool.connection() as own, own.transaction():
            results = [(group.jobs[0], '{"sent": true}')]
            assert len(await grouping.close_group(own, OWNER, group.token, results, EVIDENCE)) == 1
            assert grouping.sweep_dead_groups(connection, 10) == []
        done(connection, job_id)
