"""The application ends, resets or deletes a row while a worker is in the middle of its page."""

import pytest

from platforms.simulator.catalogue import creators_of
from tests.fleet import eventually, fleet_of, let_all_go
from tests.jobs import (
    assert_counters_are_true,
    attempts,
    insert_job,
    is_final,
    job,
    ledger,
    state,
    stored_creators,
    stored_ids,
    task,
)

SEED = 1
ITEMS = 80
THIN = {"enrich": "none"}


@pytest.fixture(scope="module")
def fleet(module_database_url, module_redis_url, module_simulator, tmp_path_factory):
    with fleet_of(module_database_url, module_redis_url, module_simulator, tmp_path_factory.mktemp("fleet")) as fleet:
        yield fleet


@pytest.fixture
def connection(rows, fleet, module_redis_url):
    """The module's database, held back by nothing; afterwards every process must still be the first one."""
    let_all_go(module_redis_url)
    yield rows
    assert [process.poll() for process in fleet.processes] == [None, None]


def freeze_in_mid_page(connection, simulator, word: str) -> str:
    """Put a job in and hold the answer to its second page; give its id."""
    simulator.set_fault("gate", match={"query": word}, after=1, times=1)
    job_id = insert_job(connection, keywords=[word], target_results=1000, search_params=THIN)
    simulator.wait_for_gate()
    return job_id


class TestARowChangedInMidSlice:
    @pytest.mark.parametrize(
        "change",
        [
            "status = 'completed', progress = 100, completed_at = now()",
            "status = 'error', error = 'stopped by its owner'",
            "status = 'timeout'",
            "status = 'cancelled'",
        ],
    )
    def test_keeps_the_applications_word_and_gets_nothing_more(self, connection, simulator, change):
        # Given a job in the middle of its second page
        job_id = freeze_in_mid_page(connection, simulator, f"ended by {change}")
        # When the application ends it, and then the page comes
        connection.execute(f"UPDATE scraping_jobs SET {change} WHERE id = %s::uuid".encode(), (job_id,))
        row, stored = job(connection, job_id), stored_creators(connection, job_id)
        simulator.open_gate()
        eventually(lambda: state(connection, job_id) == "closed")
        # Then not a word of the row is changed, and nothing stored
        assert job(connection, job_id) == row
        assert stored_creators(connection, job_id) == stored
        assert len(ledger(connection, job_id)) == 1
        assert task(connection, job_id)["end_reason"] == "outside"
        assert attempts(connection, job_id) == [("outside", "row_changed")]
        assert len(simulator.calls()) == 2

    def test_to_nothing_at_all_closes_its_task(self, connection, simulator):
        # Given a job in the middle of its second page
        job_id = freeze_in_mid_page(connection, simulator, "deleted")
        # When the application deletes it with its results, and then the page comes
        connection.execute("DELETE FROM scraping_results WHERE job_id = %s::uuid", (job_id,))
        connection.execute("DELETE FROM scraping_jobs WHERE id = %s::uuid", (job_id,))
        simulator.open_gate()
        eventually(lambda: state(connection, job_id) == "closed")
        # Then there is nothing of it in the application's tables
        assert connection.execute("SELECT 1 FROM scraping_jobs WHERE id = %s::uuid", (job_id,)).fetchone() is None
        assert stored_creators(connection, job_id) == []
        assert task(connection, job_id)["end_reason"] == "outside"
        # And the worker goes on with others
        other = insert_job(connection, keywords=["next"], target_results=1000, search_params=THIN)
        eventually(lambda: is_final(connection, other))
        assert stored_ids(connection, other) == list(creators_of(SEED, "next", ITEMS))

    def test_to_pending_goes_on_at_its_checkpoint_and_completes(self, connection, simulator):
        # Given a job in the middle of its second page
        job_id = freeze_in_mid_page(connection, simulator, "reset")
        # When the application sets it to pending, and then the page comes
        connection.execute("UPDATE scraping_jobs SET status = 'pending' WHERE id = %s::uuid", (job_id,))
        # (The reconciler has seen the change while the task was leased.)
        eventually(lambda: connection.execute("SELECT count(*) = 0 FROM worker.inbox").fetchone()[0])
        simulator.open_gate()
        eventually(lambda: is_final(connection, job_id))
        # Then it is completed, with nobody twice and nobody missing
        assert job(connection, job_id)["status"] == "completed"
        assert stored_ids(connection, job_id) == list(creators_of(SEED, "reset", ITEMS))
        assert_counters_are_true(connection, job_id)
        assert attempts(connection, job_id) == [("outside", "row_changed"), ("completed", "exhausted")]

    def test_to_a_smaller_target_ends_there(self, connection, simulator):
        # Given a job in the middle of its second page
        job_id = freeze_in_mid_page(connection, simulator, "smaller")
        first_page = len(stored_ids(connection, job_id))
        # When the application wants only three more, and then the page comes
        connection.execute("UPDATE scraping_jobs SET target_results = %s WHERE id = %s::uuid", (first_page + 3, job_id))
        simulator.open_gate()
        eventually(lambda: is_final(connection, job_id))
        # Then it has exactly those
        assert stored_ids(connection, job_id) == list(creators_of(SEED, "smaller", ITEMS))[: first_page + 3]
        assert (job(connection, job_id)["status"], job(connection, job_id)["progress"]) == ("completed", 100)
        assert_counters_are_true(connection, job_id)

    def test_to_a_deadline_that_has_passed_ends_as_timeout_with_its_results(self, connection, simulator):
        job_id = freeze_in_mid_page(connection, simulator, "late")
        connection.execute(
            "UPDATE scraping_jobs SET timeout_at = now() AT TIME ZONE 'UTC' - interval '1 second' WHERE id = %s::uuid",
            (job_id,),
        )
        simulator.open_gate()
        eventually(lambda: is_final(connection, job_id))
        assert job(connection, job_id)["status"] == "timeout"
        assert "timeout_at passed" in job(connection, job_id)["error"]
        assert len(ledger(connection, job_id)) == 2, "the page that was paid for is kept"
        assert_counters_are_true(connection, job_id)


class TestARowChangedBetweenSlices:
    def test_closes_its_waiting_task(self, connection, simulator):
        # Given a job that waits for its provider
        simulator.set_fault("status", status=402, match={"query": "waiting"})
        job_id = insert_job(connection, keywords=["waiting"], search_params=THIN)
        eventually(lambda: state(connection, job_id) == "waiting")
        # When the application cancels it
        connection.execute("UPDATE scraping_jobs SET status = 'cancelled' WHERE id = %s::uuid", (job_id,))
        # Then its task is closed, and its row keeps the word
        eventually(lambda: state(connection, job_id) == "closed")
        assert task(connection, job_id)["end_reason"] == "outside"
        assert job(connection, job_id)["status"] == "cancelled"

    def test_is_left_alone_while_it_was_never_ours(self, connection, simulator):
        # Given a row that another service has taken, and one with a status of its own
        theirs = insert_job(connection, status="processing", search_params=THIN)
        odd = insert_job(connection, status="searching", search_params=THIN)
        # When a job that came later has ended
        ours = insert_job(connection, target_results=1, search_params=THIN)
        eventually(lambda: is_final(connection, ours))
        # Then nobody has touched them
        assert [job(connection, job_id)["status"] for job_id in (theirs, odd)] == ["processing", "searching"]
        assert [state(connection, job_id) for job_id in (theirs, odd)] == [None, None]
