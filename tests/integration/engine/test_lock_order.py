"""Everything that writes, at once: no deadlock, and the counters stay true."""

import asyncio
import random
import threading

import psycopg
import pytest

from db.queries.adopting import adopt_missed
from db.queries.overdue import sweep_overdue
from db.queries.sweeping import close_foreign, promote_due, sweep_dead_leases
from db.queries.trials import begin_months
from db.session import connect, make_pool
from tests.integration.engine.steps import OWNER, adopt, claim, in_loop, in_thread, lease_of, page_of
from tests.integration.handlers.people import insert_user
from tests.jobs import assert_counters_are_true, insert_job, ledger, retry_jobs
from worker.committing import commit
from worker.errors import AuthorityLost
from worker.job_states import Decision, Ending
from worker.settling import settle

pytestmark = [pytest.mark.usefixtures("lanes"), pytest.mark.filterwarnings("error")]

JOBS = 12
ROUNDS = 500
ENDINGS = (Ending.COMPLETED, Ending.ERROR, Ending.TIMEOUT, Ending.OUTSIDE, Ending.CONTINUE, Ending.WAIT, Ending.RETRY)


@pytest.mark.slow
def test_all_statements_at_once_neither_deadlock_nor_lie(connection, database_url):
    # Given a few jobs that everybody fights for
    jobs = [insert_job(connection, user_id=f"user_{n % 3}", target_results=1000) for n in range(JOBS)]
    adopt(connection)
    # And users whose plans leave room for some of them only
    keys = [
        insert_user(connection, f"user_{n}", user_usage={"plan_creators_limit": limit})
        for n, limit in enumerate((-1, 100_000, 30))
    ]
    together = threading.Barrier(9)
    busy = threading.Semaphore(0)

    async def worker(seed):
        choose = random.Random(seed)  # noqa: S311 - a lot to draw, not a secret
        together.wait(20)
        async with make_pool(database_url, "test pool", 1) as pool:
            for _ in range(ROUNDS):
                try:
                    for claimed in await claim(pool):
                        lease = lease_of(claimed)
                        async with pool.connection() as own:
                            cursor = await own.execute(
                                "SELECT coalesce(max(seq), 0) FROM worker.pages WHERE task_id = %s", (claimed.id,)
                            )
                            seq = (await cursor.fetchone())[0]
                        for page in range(1, choose.randint(2, 4)):
                            keys = [f"{choose.randint(1, 40)}" for _ in range(3)]
                            answer = await commit(pool, lease, page_of(claimed, seq + page, sorted(set(keys))))
                            if not answer.row_open:
                                break
                        if choose.random() < 0.7:
                            await settle(pool, lease, OWNER, Decision(choose.choice(ENDINGS), "chosen"))
                except AuthorityLost:
                    pass
                except psycopg.errors.LockNotAvailable:
                    busy.release()
                await asyncio.sleep(0)

    def reconciler(seed):
        choose = random.Random(seed)  # noqa: S311 - a lot to draw, not a secret
        with connect(database_url) as own:
            together.wait(20)
            for _ in range(ROUNDS):
                adopt(own)
                for change, those in (
                    ("run_at = now()", "state = 'waiting'"),
                    ("expires_at = now() - interval '1 s'", f"state = 'leased' AND id % 5 = {choose.randint(0, 9)}"),
                    ("deadline_at = now() - interval '1 s'", f"state = 'ready' AND id % 2 = {choose.randint(0, 9)}"),
                ):
                    own.execute(
                        f"UPDATE worker.tasks SET {change} WHERE id IN"
                        f" (SELECT id FROM worker.tasks WHERE {those} FOR UPDATE SKIP LOCKED)".encode()
                    )
                promote_due(own, 100)
                sweep_dead_leases(own, 3, 100)
                sweep_overdue(own, 100)
                close_foreign(own, 100)
                adopt_missed(own, "scraping_jobs", 100)

    def application(seed):
        choose = random.Random(seed)  # noqa: S311 - a lot to draw, not a secret
        with connect(database_url) as own:
            together.wait(20)
            for _ in range(ROUNDS * 2):
                # Several rows in one statement, in an order of its own.
                chosen = choose.sample(jobs, 6)
                status = choose.choice(["pending", "pending", "processing", "error"])
                own.execute(
                    "UPDATE scraping_jobs SET status = %s, region = 'DE' WHERE id = ANY (%s::uuid[])", (status, chosen)
                )

    def operator(seed):
        choose = random.Random(seed)  # noqa: S311 - a lot to draw, not a secret
        with connect(database_url) as own:
            together.wait(20)
            for _ in range(ROUNDS * 2):
                retry_jobs(own, choose.sample(jobs, 1))

    async def billing(seed):
        choose = random.Random(seed)  # noqa: S311 - a lot to draw, not a secret
        together.wait(20)
        async with make_pool(database_url, "test pool", 1) as pool:
            for _ in range(ROUNDS):
                async with pool.connection() as own, own.transaction():
                    await own.execute("SELECT FROM users WHERE id = %s::uuid FOR NO KEY UPDATE", (choose.choice(keys),))
                    await own.execute(
                        "UPDATE user_usage SET usage_reset_date = usage_reset_date - interval '40 days'"
                        " WHERE user_id = %s::uuid",
                        (choose.choice(keys),),
                    )
                async with pool.connection() as own:
                    await begin_months(own, 10)

    # When four workers, two reconcilers, the application, an operator and the billing are at it
    running = [in_loop(lambda seed=seed: worker(seed)) for seed in range(4)]
    running += [in_thread(lambda seed=seed: reconciler(seed)) for seed in (4, 5)]
    running += [in_thread(lambda: application(6)), in_thread(lambda: operator(7))]
    running += [in_loop(lambda: billing(8))]
    failed = [error for future in running if (error := future.exception(100))]
    # Then none met a deadlock or any other error
    assert failed == []
    # And nobody lost the lane for long, every counter is true, and there was something to fight for
    assert not busy.acquire(blocking=False)
    for job_id in jobs:
        assert_counters_are_true(connection, job_id)
    assert sum(len(ledger(connection, job_id)) for job_id in jobs) > JOBS
