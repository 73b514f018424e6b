"""A handler's effects and the completion of its job are one transaction."""

import asyncio
import contextlib
from typing import Any

import msgspec
import pytest

from actors.handlers.contract import Handler, JobContext, JobSettled
from db.queries.sweeping import sweep_dead_leases
from db.session import make_pool
from tests.faults.proxy import proxied
from tests.fleet import eventually
from tests.integration.handlers.conftest import OWNER, Engine
from tests.jobs import attempts, background_job, state, task
from worker.errors import RetryJob


class Nothing(msgspec.Struct):
    """No payload."""


async def _effect(context: JobContext, connection: Any) -> None:
    await connection.execute("INSERT INTO effects VALUES (%s)", (context.lease.job_id,))


async def _completing(context: JobContext, payload: Nothing) -> JobSettled:
    async with context.transaction() as connection:
        await _effect(context, connection)
        return await context.completing(connection, {"done": True})


@pytest.fixture
def effects(engine: Engine):
    """How often each job had its effect."""
    engine.connection.execute("CREATE TABLE effects (job_id text NOT NULL)")
    return lambda: [job_id for (job_id,) in engine.connection.execute("SELECT job_id FROM effects").fetchall()]


def served(engine: Engine, run: Any, job_type: str = "completing") -> str:
    """Serve a job type by this; give its name."""
    engine.handlers[job_type] = Handler(job_type, Nothing, run)
    return job_type


async def test_the_effect_and_the_end_are_written_together(engine, effects):
    row = await engine.run(served(engine, _completing))
    # Then row, task and attempt say what they say of any completed job
    assert (row["status"], row["result"], row["error"]) == ("completed", {"done": True}, None)
    assert row["completed_at"] is not None
    job_id = str(row["id"])
    assert effects() == [job_id]
    assert attempts(engine.connection, job_id) == [("completed", "done")]
    closed = task(engine.connection, job_id)
    assert (closed["state"], closed["end_reason"], closed["token"]) == ("closed", "done", None)


async def test_before_the_commit_nobody_sees_either(engine, effects):
    # Given a handler that stops with everything done but the commit
    reached, go_on = asyncio.Event(), asyncio.Event()

    async def run(context: JobContext, payload: Nothing) -> JobSettled:
        async with context.transaction() as connection:
            await _effect(context, connection)
            marker = await context.completing(connection)
            reached.set()
            await go_on.wait()
            return marker

    job_id = engine.put_in(served(engine, run))
    slice_ = asyncio.ensure_future(engine.work_off("completing"))
    await reached.wait()
    # Then neither is there
    assert (effects(), background_job(engine.connection, job_id)["status"]) == ([], "processing")
    go_on.set()
    await slice_
    assert (effects(), background_job(engine.connection, job_id)["status"]) == ([job_id], "completed")


async def test_a_connection_killed_between_effect_and_end_leaves_neither_and_the_job_is_done_once(engine, effects):
    # Given a backend that is lost once, after the effect
    lost = []

    async def run(context: JobContext, payload: Nothing) -> JobSettled:
        async with context.transaction() as connection:
            await _effect(context, connection)
            if not lost:
                lost.append(connection.info.backend_pid)
                engine.connection.execute("SELECT pg_terminate_backend(%s)", (lost[0],))
            return await context.completing(connection)

    job_id = engine.put_in(served(engine, run))
    await engine.work_off("completing")
    # Then nothing of it stays, and it costs the job a wait
    assert effects() == []
    assert state(engine.connection, job_id) == "waiting"
    assert [outcome for outcome, _ in attempts(engine.connection, job_id)] == ["wait"]
    # When it runs again
    engine.make_due()
    await engine.work_off("completing")
    assert effects() == [job_id]
    assert background_job(engine.connection, job_id)["status"] == "completed"


@pytest.mark.parametrize("when", ["before the transaction", "after an earlier one"])
async def test_a_lost_lease_leaves_neither(engine, effects, when):
    # Given a job that the sweep takes while its handler is at it
    async def run(context: JobContext, payload: Nothing) -> JobSettled:
        if when == "after an earlier one":
            async with context.transaction() as connection:
                await connection.execute("SELECT 1")
        engine.connection.execute("UPDATE worker.tasks SET token = gen_random_uuid(), epoch = epoch + 1")
        return await _completing(context, payload)

    job_id = engine.put_in(served(engine, run))
    await engine.work_off("completing")
    # Then the old holder has done nothing and written nothing
    assert effects() == []
    assert background_job(engine.connection, job_id)["status"] == "processing"
    assert (state(engine.connection, job_id), attempts(engine.connection, job_id)) == ("leased", [])


async def test_nobody_can_take_the_job_in_the_middle(engine, effects):
    # Given a lease that has run out unnoticed
    async def run(context: JobContext, payload: Nothing) -> JobSettled:
        engine.connection.execute("UPDATE worker.tasks SET expires_at = clock_timestamp() - interval '1 h'")
        async with context.transaction() as connection:
            # When the sweep comes
            assert sweep_dead_leases(engine.connection, 3, 100) == []
            await _effect(context, connection)
            return await context.completing(connection)

    row = await engine.run(served(engine, run))
    assert (row["status"], effects()) == ("completed", [str(row["id"])])


async def test_a_job_that_the_application_ended_has_no_effect(engine, effects):
    async def run(context: JobContext, payload: Nothing) -> JobSettled:
        engine.connection.execute("UPDATE background_jobs SET status = 'failed', error = 'by hand'")
        return await _completing(context, payload)

    row = await engine.run(served(engine, run))
    assert (row["status"], row["error"], effects()) == ("failed", "by hand", [])
    assert state(engine.connection, str(row["id"])) == "closed"
    assert [outcome for outcome, _ in attempts(engine.connection, str(row["id"]))] == ["outside"]


async def test_a_cancelled_job_has_no_effect(engine, effects):
    async def run(context: JobContext, payload: Nothing) -> JobSettled:
        engine.connection.execute("UPDATE worker.tasks SET cancel_at = clock_timestamp(), cancel_reason = 'no more'")
        return await _completing(context, payload)

    row = await engine.run(served(engine, run))
    assert (row["status"], row["error"], effects()) == ("failed", "cancelled: no more", [])


async def test_an_error_inside_rolls_back_and_is_retried(engine, effects):
    async def run(context: JobContext, payload: Nothing) -> JobSettled:
        async with context.transaction() as connection:
            await _effect(context, connection)
            if context.attempt == 1:
                raise RetryJob("not_yet", "not yet")
            return await context.completing(connection)

    job_id = engine.put_in(served(engine, run))
    await engine.work_off("completing")
    assert (effects(), attempts(engine.connection, job_id)) == ([], [("retry", "not_yet")])
    engine.make_due()
    await engine.work_off("completing")
    assert effects() == [job_id]


@pytest.mark.parametrize(
    "result", [object(), {"text": "nul \0"}, {"text": "half \ud83d"}], ids=["object", "nul", "half a sign"]
)
async def test_a_result_that_cannot_be_kept_leaves_no_effect(engine, effects, result):
    async def run(context: JobContext, payload: Nothing) -> JobSettled:
        async with context.transaction() as connection:
            await _effect(context, connection)
            return await context.completing(connection, result)

    row = await engine.run(served(engine, run))
    assert (row["status"], effects()) == ("failed", [])
    assert "nothing was done" in row["error"]
    assert attempts(engine.connection, str(row["id"])) == [("error", "result_refused")]


@contextlib.asynccontextmanager
async def leased_behind(engine: Engine, database_url: str):
    """A proxy between the engine and Postgres, and one job leased through it."""
    with proxied(database_url) as proxy:
        pool = make_pool(proxy.url, "test pool", 2)
        await pool.open()
        engine.runtime.pool = pool
        yield proxy, await engine.lease("completing")
        await pool.close()


async def test_a_commit_whose_reply_is_lost_is_done_once(engine, effects, database_url):
    job_id = engine.put_in(served(engine, _completing))
    async with leased_behind(engine, database_url) as (proxy, leases):
        proxy.swallow_replies("COMMIT")
        await engine.work(leases)
        assert proxy.swallowed == 1
    # Then it was done once, and nothing is held against the job
    assert effects() == [job_id]
    assert background_job(engine.connection, job_id)["status"] == "completed"
    assert attempts(engine.connection, job_id) == [("completed", "done")]


async def test_a_commit_that_never_arrived_is_done_by_the_next_run(engine, effects, database_url):
    job_id = engine.put_in(served(engine, _completing))
    async with leased_behind(engine, database_url) as (proxy, leases):
        # Given a commit that is held up on its way, and is then lost with its connection
        proxy.silence(at="COMMIT")
        slice_ = asyncio.ensure_future(engine.work(leases))
        await asyncio.to_thread(
            eventually,
            lambda: engine.connection.execute(
                "SELECT 1 FROM pg_stat_activity WHERE datname = current_database()"
                " AND state = 'idle in transaction' AND query LIKE '%SET state = ''closed''%'"
            ).fetchone(),
        )
        proxy.refuse()
        proxy.heal()
        await slice_
        assert (effects(), [outcome for outcome, _ in attempts(engine.connection, job_id)]) == ([], ["wait"])
        # When it runs again
        engine.make_due()
        await engine.work_off("completing")
    assert effects() == [job_id]
    assert background_job(engine.connection, job_id)["status"] == "completed"


def test_the_engine_of_the_tests_has_the_name_that_its_leases_show(engine):
    assert engine.runtime.owner == OWNER
