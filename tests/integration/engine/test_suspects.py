"""Tasks that may have killed their workers: a process has one of a lane at a time, and nobody waits for them."""

from uuid import uuid4

import pytest

from db.queries import claiming
from db.queries.adopting import adopt_from_inbox
from db.queries.lanes import wanted_wakeups
from tests.integration.engine.steps import JOB_LANE, JOB_TIMEOUT, OWNER, TTL, claim, lease_of
from tests.jobs import background_job, insert_background_job
from worker.job_states import Decision, Ending
from worker.settling import settle

pytestmark = pytest.mark.usefixtures("lanes")


class TestTasksThatCrashedTwice:
    async def test_are_given_to_a_process_one_at_a_time(self, connection, pool):
        # Given tasks of nobody, the first of which may have killed their workers
        suspected = await self._put_in(connection, 3, priority=1)
        connection.execute("UPDATE worker.tasks SET crashes = 2")
        others = await self._put_in(connection, 3)
        # When one process asks again and again
        first = [claimed.job_id for _ in range(5) for claimed in await claim(pool, lane=JOB_LANE)]
        # Then it has one of them, and all that are not suspected
        assert (first[0] in suspected, sorted(first[1:])) == (True, sorted(others))
        # And another process has one too
        async with pool.connection() as own:
            claimed = await claiming.claim(own, JOB_LANE, "worker-2", [uuid4() for _ in range(5)], TTL, JOB_TIMEOUT)
        assert len(claimed) == 1
        assert claimed[0].job_id in set(suspected) - set(first)

    async def test_come_one_after_the_other(self, connection, pool):
        suspected = await self._put_in(connection, 3)
        connection.execute("UPDATE worker.tasks SET crashes = 2")
        for _ in suspected:
            (claimed,) = await claim(pool, count=5, lane=JOB_LANE)
            await settle(pool, lease_of(claimed), OWNER, Decision(Ending.COMPLETED, "done"))
        assert {background_job(connection, job_id)["status"] for job_id in suspected} == {"completed"}

    async def test_are_worth_one_wake_up(self, connection):
        await self._put_in(connection, 3)
        connection.execute("UPDATE worker.tasks SET crashes = 2")
        assert wanted_wakeups(connection) == {JOB_LANE: 1}
        await self._put_in(connection, 2)
        assert wanted_wakeups(connection) == {JOB_LANE: 3}

    async def _put_in(self, connection, count: int, **columns) -> list[str]:
        jobs = [insert_background_job(connection, "noop", **columns) for _ in range(count)]
        adopt_from_inbox(connection, "background_jobs", 1000)
        return jobs
