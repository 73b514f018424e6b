"""Background jobs that complete together: written by one statement, and each as if it had been alone."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from uuid import uuid4

import psycopg
import pytest
from structlog.testing import capture_logs

from db.queries.adopting import adopt_from_inbox
from db.session import Pool, connect, make_pool
from tests.faults.proxy import proxied
from tests.fleet import LONGEST_SECONDS, LOOK_SECONDS
from tests.integration.engine.steps import JOB_LANE, OWNER, blocked_backends, claim, lease_of, set_task, value
from tests.jobs import attempts, background_job, insert_background_job, task
from worker.completions import Completions
from worker.job_states import Decision, Ending
from worker.leases import Lease
from worker.settling import settle

pytestmark = pytest.mark.usefixtures("lanes")

MANY = 50
DONE = Decision(Ending.COMPLETED, "done", result='{"sent": true}')
NUL = Decision(Ending.COMPLETED, "done", result='{"text": "before\\u0000after"}')
COMPLETED = [("completed", "done")]


async def leased(connection: psycopg.Connection, pool: Pool, count: int = MANY) -> list[Lease]:
    """Leases of so many background jobs, in the order of their tasks."""
    connection.execute("UPDATE worker.lanes SET max_per_tenant = 256")
    for _ in range(count):
        insert_background_job(connection, "noop")
    adopt_from_inbox(connection, "background_jobs", 1000)
    claimed = await claim(pool, count=count, lane=JOB_LANE)
    assert len(claimed) == count
    return sorted(map(lease_of, claimed), key=lambda lease: lease.task_id)


async def settle_all(
    pool: Pool, leases: Sequence[Lease], completions: Completions, decision: Decision = DONE
) -> list[BaseException | None]:
    """Settle slices that end in the same moment; give what each raised."""
    async with asyncio.timeout(LONGEST_SECONDS / 2):
        return await asyncio.gather(
            *(settle(pool, lease, OWNER, decision, completions) for lease in leases), return_exceptions=True
        )


async def until_blocked(connection: psycopg.Connection, count: int = 1) -> None:
    """Wait until so many backends wait for a lock, with the event loop going on."""
    async with asyncio.timeout(LONGEST_SECONDS):
        while len(blocked_backends(connection)) < count:  # noqa: ASYNC110 - another process makes the event
            await asyncio.sleep(LOOK_SECONDS)


def writes(connection: psycopg.Connection) -> list[int]:
    """How many slices each transaction has ended, the largest first."""
    written_by = connection.execute("SELECT xmin::text FROM worker.attempts").fetchall()
    return sorted(Counter(written_by).values(), reverse=True)


def assert_completed(connection: psycopg.Connection, leases: Sequence[Lease], decision: Decision = DONE) -> None:
    """Row, task and attempts say the same of each: done, once, by this lease."""
    for lease in leases:
        row, closed = background_job(connection, lease.job_id), task(connection, lease.job_id)
        assert (row["status"], row["error"], row["failed_at"]) == ("completed", None, None)
        assert row["result"] == (None if decision.result is None else {"sent": True})
        assert row["completed_at"] >= row["started_at"]
        assert (closed["state"], closed["end_reason"], closed["failures"]) == ("closed", "done", 0)
        assert (closed["token"], closed["owner"], closed["expires_at"]) == (None, None, None)
        assert (closed["last_token"], closed["slices"]) == (lease.token, 1)
        assert attempts(connection, lease.job_id) == COMPLETED
    assert value(connection, "SELECT bool_and(evidence ? 'rss_mb' AND owner = %s) FROM worker.attempts", OWNER)


async def test_completions_of_one_moment_are_one_write(connection, pool):
    leases = await leased(connection, pool)
    assert await settle_all(pool, leases, Completions(pool)) == [None] * MANY
    assert_completed(connection, leases)
    assert writes(connection) == [MANY]
    assert value(connection, "SELECT count(*) FROM worker.inbox") == 0


async def test_completions_that_come_during_a_write_are_the_next_one(connection, pool, database_url):
    leases, completions = await leased(connection, pool), Completions(pool)
    with connect(database_url, autocommit=False) as other:
        # Given a write that is held up
        other.execute("LOCK TABLE worker.attempts IN SHARE MODE")
        first = asyncio.create_task(settle_all(pool, leases[:3], completions))
        await until_blocked(connection)
        # When all others complete, one after the other
        rest = []
        for lease in leases[3:]:
            rest.append(asyncio.create_task(settle_all(pool, [lease], completions)))
            await asyncio.sleep(0)
        other.rollback()
    await asyncio.gather(first, *rest)
    # Then they are written together, by one statement more
    assert_completed(connection, leases)
    assert writes(connection) == [MANY - 3, 3]


async def test_a_slice_ends_only_when_its_own_completion_is_written(connection, pool, database_url):
    leases, completions = await leased(connection, pool, 2), Completions(pool)
    with connect(database_url, autocommit=False) as other:
        other.execute("LOCK TABLE worker.attempts IN SHARE MODE")
        ending = [asyncio.create_task(settle_all(pool, [lease], completions)) for lease in leases]
        await until_blocked(connection)
        assert not any(task.done() for task in ending)
        other.rollback()
    await asyncio.gather(*ending)
    assert_completed(connection, leases)


async def test_a_member_that_is_cancelled_harms_no_other(connection, pool, database_url):
    leases, completions = await leased(connection, pool), Completions(pool)
    with connect(database_url, autocommit=False) as other:
        other.execute("LOCK TABLE worker.attempts IN SHARE MODE")
        ending = [asyncio.create_task(settle(pool, lease, OWNER, DONE, completions)) for lease in leases]
        await until_blocked(connection)
        ending[7].cancel()
        other.rollback()
    async with asyncio.timeout(LONGEST_SECONDS / 2):
        answers = await asyncio.gather(*ending, return_exceptions=True)
    assert [index for index, answer in enumerate(answers) if answer is not None] == [7]
    assert_completed(connection, leases)


async def test_other_endings_and_other_tables_are_not_grouped(connection, pool):
    leases, completions = await leased(connection, pool, 3), Completions(pool)
    wait = Decision(Ending.WAIT, "mail_queue_full", "full")
    await asyncio.gather(*(settle(pool, lease, OWNER, wait, completions) for lease in leases))
    assert writes(connection) == [1, 1, 1]


class TestOneOfMany:
    @pytest.mark.parametrize("change", ["status = 'cancelled'", "status = 'completed'", "status = 'pending'"])
    async def test_whose_row_the_application_changed_keeps_its_word(self, connection, pool, change):
        leases = await leased(connection, pool)
        odd, others = leases[20], leases[:20] + leases[21:]
        connection.execute(f"UPDATE background_jobs SET {change} WHERE id = %s::uuid".encode(), (odd.job_id,))
        connection.execute("DELETE FROM worker.inbox")
        before = background_job(connection, odd.job_id)
        await settle_all(pool, leases, Completions(pool))
        assert_completed(connection, others)
        assert writes(connection) == [MANY - 1, 1]
        # And adoption hears of it once more, as of any such end
        assert background_job(connection, odd.job_id) == before
        assert task(connection, odd.job_id)["state"] == "closed"
        assert value(connection, "SELECT array_agg(job_id) FROM worker.inbox") == [odd.job_id]

    async def test_whose_row_is_deleted_is_closed(self, connection, pool):
        leases = await leased(connection, pool)
        connection.execute("DELETE FROM background_jobs WHERE id = %s::uuid", (leases[0].job_id,))
        await settle_all(pool, leases, Completions(pool))
        assert_completed(connection, leases[1:])
        assert task(connection, leases[0].job_id)["state"] == "closed"

    async def test_whose_token_is_lost_writes_nothing(self, connection, pool):
        leases = await leased(connection, pool)
        odd, others = leases[20], leases[:20] + leases[21:]
        set_task(connection, odd.task_id, f"token = '{uuid4()}', epoch = epoch + 1")
        before = background_job(connection, odd.job_id), task(connection, odd.job_id)
        with capture_logs() as logs:
            await settle_all(pool, leases, Completions(pool))
        assert_completed(connection, others)
        assert (background_job(connection, odd.job_id), task(connection, odd.job_id)) == before
        assert attempts(connection, odd.job_id) == []
        assert [(log["task"], log["reason"]) for log in logs if log["event"] == "lease_lost"] == [
            (odd.task_id, "fenced")
        ]

    async def test_whose_result_postgres_refuses_fails_alone(self, connection, pool):
        leases, completions = await leased(connection, pool), Completions(pool)
        odd, others = leases[20], leases[:20] + leases[21:]
        await asyncio.gather(settle_all(pool, others, completions), settle_all(pool, [odd], completions, NUL))
        assert_completed(connection, others)
        row = background_job(connection, odd.job_id)
        assert (row["status"], row["result"]) == ("failed", None)
        assert "Postgres cannot hold the result" in row["error"]
        assert attempts(connection, odd.job_id) == [("error", "result_refused")]

    async def test_for_which_a_trigger_of_the_application_raises_stays_leased(self, connection, pool):
        leases = await leased(connection, pool)
        odd, others = leases[20], leases[:20] + leases[21:]
        connection.execute(
            f"""
            CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'not this one'; END $$;
            CREATE TRIGGER theirs BEFORE UPDATE ON background_jobs FOR EACH ROW
              WHEN (NEW.id = '{odd.job_id}' AND NEW.status = 'completed') EXECUTE FUNCTION refuse();
            """.encode()
        )
        raised = await settle_all(pool, leases, Completions(pool))
        assert_completed(connection, others)
        assert [type(error) for error in raised if error] == [psycopg.errors.RaiseException]
        assert task(connection, odd.job_id)["token"] == odd.token

    async def test_whose_end_a_trigger_of_the_application_swallows_is_told_to_adoption(self, connection, pool):
        leases = await leased(connection, pool)
        odd, others = leases[20], leases[:20] + leases[21:]
        connection.execute(
            f"""
            CREATE FUNCTION swallow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
            CREATE TRIGGER theirs BEFORE UPDATE ON background_jobs FOR EACH ROW
              WHEN (NEW.id = '{odd.job_id}' AND NEW.status = 'completed') EXECUTE FUNCTION swallow();
            """.encode()
        )
        await settle_all(pool, leases, Completions(pool))
        assert_completed(connection, others)
        assert background_job(connection, odd.job_id)["status"] == "processing"
        assert value(connection, "SELECT array_agg(job_id) FROM worker.inbox") == [odd.job_id]

    @pytest.mark.parametrize("lock", ["worker.tasks WHERE id = {task}", "background_jobs WHERE id = '{job}'"])
    async def test_that_somebody_holds_keeps_no_other_waiting(self, connection, pool, database_url, lock):
        leases = await leased(connection, pool)
        odd, others = leases[20], leases[:20] + leases[21:]
        completions = Completions(pool)
        with connect(database_url, autocommit=False) as other:
            other.execute(f"SELECT FROM {lock.format(task=odd.task_id, job=odd.job_id)} FOR UPDATE".encode())
            ending = asyncio.create_task(settle_all(pool, [odd], completions))
            await settle_all(pool, others, completions)
            assert_completed(connection, others)
            await until_blocked(connection)
            assert not ending.done()
            other.rollback()
        await ending
        assert_completed(connection, leases)
        assert writes(connection) == [MANY - 1, 1]


async def test_a_reply_that_is_lost_is_asked_for_by_each_and_nothing_is_written_twice(connection, pool, database_url):
    leases = await leased(connection, pool)
    with proxied(database_url) as proxy:
        async with make_pool(proxy.url, "test pool", 4) as own:
            # When the statement is done and its reply lost
            proxy.swallow_replies("WITH told AS")
            with capture_logs() as logs:
                assert await settle_all(own, leases, Completions(own)) == [None] * MANY
            assert proxy.swallowed == 1
    # Then each knows its own
    assert_completed(connection, leases)
    assert writes(connection) == [MANY]
    told = Counter(log["event"] for log in logs)
    assert (told["group_settled_one_by_one"], told["slice_settled"], told["lease_lost"]) == (1, MANY, 0)


async def test_two_processes_and_the_application_do_not_wait_for_each_other_in_a_ring(connection, pool, database_url):
    for _ in range(5):
        # Given jobs that two processes hold in turns
        leases = await leased(connection, pool)
        async with make_pool(database_url, "another", 4) as another:
            with connect(database_url, autocommit=False) as application:
                # And the application, which changes all of them, the last first
                for lease in reversed(leases[10:]):
                    application.execute("UPDATE background_jobs SET priority = 7 WHERE id = %s::uuid", (lease.job_id,))
                # When they end while it is at it
                ending = asyncio.gather(
                    settle_all(pool, leases[::2], Completions(pool)),
                    settle_all(another, leases[1::2], Completions(another)),
                )
                await until_blocked(connection, 8)
                for lease in reversed(leases[:10]):
                    application.execute("UPDATE background_jobs SET priority = 7 WHERE id = %s::uuid", (lease.job_id,))
                application.commit()
            answers = await ending
        # Then nobody is told of a deadlock, and nothing is missing
        assert answers == [[None] * (MANY // 2)] * 2
        assert_completed(connection, leases)
        assert value(connection, "SELECT bool_and(priority = 7) FROM background_jobs")
