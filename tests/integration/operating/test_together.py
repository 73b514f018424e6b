"""Operators at work while workers and a reconciler are: no deadlock, no lie, and no lease is touched."""

import asyncio
import contextlib
import random
import threading

import psycopg
import pytest

from db.queries.sweeping import close_foreign, promote_due
from db.session import connect, make_pool
from tests.integration.engine.steps import OWNER, adopt, claim, in_loop, in_thread, lease_of, page_of, value
from tests.integration.operating.made import make_lanes
from tests.jobs import assert_counters_are_true, insert_job
from worker.committing import commit
from worker.errors import AuthorityLost
from worker.job_states import Decision, Ending
from worker.operating.cancelling import cancel
from worker.operating.retrying import retry
from worker.operating.selection import Selection
from worker.operating.undoing import NothingToUndo, undo_retry
from worker.settling import settle

JOBS = 12
ROUNDS = 60
ENDINGS = (Ending.ERROR, Ending.ERROR, Ending.TIMEOUT, Ending.CONTINUE, Ending.WAIT)


def test_operators_and_a_fleet_at_once_neither_deadlock_nor_lie(connection, database_url):
    # Given jobs that workers page through and end by errors
    make_lanes(connection)
    jobs = [insert_job(connection, target_results=100_000) for _ in range(JOBS)]
    together = threading.Barrier(6)
    retried: list[str] = []

    async def worker(seed):
        choose = random.Random(seed)  # noqa: S311 - a lot to draw, not a secret
        together.wait(20)
        async with make_pool(database_url, "test pool", 1) as pool:
            for _ in range(ROUNDS):
                try:
                    for claimed in await claim(pool):
                        async with pool.connection() as own:
                            cursor = await own.execute(
                                "SELECT coalesce(max(seq), 0) FROM worker.checkpoints WHERE task_id = %s", (claimed.id,)
                            )
                            (seq,) = await cursor.fetchone()
                        keys = sorted({f"{choose.randint(1, 400)}" for _ in range(5)})
                        await commit(pool, lease_of(claimed), page_of(claimed, seq + 1, keys))
                        decision = Decision(choose.choice(ENDINGS), "chosen", "by lot")
                        await settle(pool, lease_of(claimed), OWNER, decision)
                except AuthorityLost:
                    pass
                except psycopg.errors.LockNotAvailable:
                    pass
                await asyncio.sleep(0)

    def reconciler():
        with connect(database_url) as own:
            together.wait(20)
            for _ in range(ROUNDS):
                adopt(own)
                own.execute(
                    "UPDATE worker.tasks SET run_at = now() WHERE id IN (SELECT id FROM worker.tasks"
                    " WHERE state = 'waiting' FOR UPDATE SKIP LOCKED)"
                )
                promote_due(own, 100)
                close_foreign(own, 100)

    def operator(seed):
        choose = random.Random(seed)  # noqa: S311 - a lot to draw, not a secret
        with connect(database_url) as own:
            together.wait(20)
            for _ in range(ROUNDS):
                some = Selection(ids=choose.sample(jobs, 6))
                told = retry(own, some, actor="test", from_start=choose.random() < 0.3)
                retried.extend(told.done)
                if choose.random() < 0.2:
                    with contextlib.suppress(NothingToUndo):
                        undo_retry(own, actor="test")
                if choose.random() < 0.2:
                    cancel(own, some, actor="test", reason="by lot")

    # When all are at it
    running = [in_loop(lambda seed=seed: worker(seed)) for seed in range(3)]
    running += [in_thread(reconciler)] + [in_thread(lambda seed=seed: operator(seed)) for seed in (4, 5)]
    failed = [error for future in running if (error := future.exception(100))]
    # Then nobody met an error, every counter is true, and there was something to fight for
    assert failed == []
    for job_id in jobs:
        assert_counters_are_true(connection, job_id)
    assert len(retried) > JOBS
    assert value(connection, "SELECT count(*) FROM worker.attempts WHERE outcome = 'error'") > JOBS


pytestmark = pytest.mark.filterwarnings("error")
