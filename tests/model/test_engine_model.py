"""Any interleaving of the engine's statements, and what holds after each of them."""

from uuid import uuid4

import hypothesis
import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from db.queries import adopting, cancelling
from db.queries.claiming import Claimed
from tests.integration.engine.steps import JOB_LANE, LANE
from tests.jobs import insert_job, retry_jobs
from tests.model.engine import HOUR, Engine
from tests.model.world import (
    TABLES,
    World,
    passed,
    told_seed,
)
from worker.job_states import cancelled


def explore(world: World, examples: int, steps: int) -> None:
    """Run the machine; its seed is shown when it fails."""
    machine = type("EngineOnItsDatabase", (Engine,), {"world": world})
    run_state_machine_as_test(
        hypothesis.seed(told_seed())(machine),
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            derandomize=False,
            print_blob=True,
            database=None,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


@pytest.mark.timeout(600)  # a failure is made small first, which takes minutes
def test_whatever_the_order_of_statements_no_lease_page_or_row_is_wrong(world):
    explore(world, examples=80, steps=40)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_in_ten_times_as_many_steps_no_lease_page_or_row_is_wrong(world):
    explore(world, examples=320, steps=100)


def one_running(world: World, table: str, **columns: object) -> Claimed:
    world.start_anew()
    if table == "scraping_jobs":
        insert_job(world.connection, **columns)
    else:
        world.run_sql("INSERT INTO background_jobs (job_type, payload) VALUES ('noop', '{}')")
    adopting.adopt_from_inbox(world.connection, table, 1)
    (held,) = world.claim(LANE if table == "scraping_jobs" else JOB_LANE, "a", [uuid4()])
    return held


@pytest.mark.parametrize("table", TABLES)
def test_a_running_job_that_is_cancelled_spends_no_attempt(world, table):
    # Given a running job that an operator cancels
    held = one_running(world, table)
    assert cancelling.cancel(world.connection, held.job_id, "not wanted") == "leased"
    # When its slice ends as it was told
    told = cancelled("not wanted")
    assert world.settle(held, told.ending, told.reason).row_written
    # Then it failed in nothing
    left = world.look()
    assert left.tasks[held.job_id]["failures"] == 0
    assert left.rows[held.job_id].get("retry_count", 0) == 0


def test_a_retried_job_whose_task_is_still_open_starts_with_a_new_deadline(world):
    # Given a job between two slices whose deadline has passed, which the application ended itself
    held = one_running(world, "scraping_jobs")
    world.settle(held, "continue", "told")
    world.run_sql(f"UPDATE scraping_jobs SET status = 'timeout', timeout_at = worker.utc_now() - {HOUR}")
    world.run_sql(f"UPDATE worker.tasks SET deadline_at = clock_timestamp() - {HOUR}")
    # When it is retried and claimed before any sweep
    assert retry_jobs(world.connection, [held.job_id]) == {held.job_id}
    adopting.adopt_from_inbox(world.connection, "scraping_jobs", 1000)
    assert len(world.claim(LANE, "a", [uuid4()])) == 1
    # Then it has time
    assert not passed(world.look().rows[held.job_id]["timeout_at"])
