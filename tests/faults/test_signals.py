"""What a worker does when it is told to end, ended, or put to sleep, in the middle of a page."""

import signal

import psutil
import pytest

from platforms.simulator.catalogue import creators_of
from platforms.simulator.settings import SEARCH_PATH
from tests.fleet import Fleet, eventually
from tests.jobs import (
    assert_counters_are_true,
    attempts,
    insert_job,
    is_final,
    job,
    ledger,
    state,
    stored_ids,
    task,
)
from tests.processes import ForkedProcess

SEED = 1
ITEMS = 80
THIN = {"enrich": "none"}
SOON_SECONDS = 10


@pytest.fixture
def fleet(database_url, redis_url, simulator, tmp_path):
    """A fleet with a reconciler and no worker yet."""
    timers = {"TRAWLER_LEASE_SECONDS": "2", "TRAWLER_BEAT_SECONDS": "0.5"}
    with Fleet(database_url, redis_url, simulator.url, tmp_path, **timers) as fleet:
        fleet.reconciler()
        yield fleet


def put_in(connection, word: str) -> str:
    return insert_job(connection, keywords=[word], target_results=1000, search_params=THIN)


def freeze_in_mid_page(connection, simulator, word: str) -> str:
    """Put a job in and hold the answer to its second page; give its id."""
    simulator.set_fault("gate", match={"query": word}, after=1, times=1)
    job_id = put_in(connection, word)
    simulator.wait_for_gate()
    return job_id


def send(fleet: Fleet, process: ForkedProcess, number: signal.Signals) -> None:
    """Send a signal that drains a worker, and wait until it says that it has begun."""
    drains = fleet.log().count("worker_drains")
    process.send_signal(number)
    eventually(lambda: fleet.log().count("worker_drains") > drains, SOON_SECONDS)


def cursors_asked(simulator, word: str) -> list[int]:
    calls = simulator.calls(SEARCH_PATH)
    return [int(call["params"]["cursor"]) for call in calls if call["params"]["query"] == word]


def assert_complete(connection, job_id: str, word: str) -> None:
    assert job(connection, job_id)["status"] == "completed"
    assert stored_ids(connection, job_id) == list(creators_of(SEED, word, ITEMS))
    assert_counters_are_true(connection, job_id)
    assert task(connection, job_id)["failures"] == 0
    assert not {"retry", "error"} & {outcome for outcome, _ in attempts(connection, job_id)}


class TestTerminating:
    @pytest.mark.parametrize("number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.slow)])
    def test_lets_the_slice_leave_after_its_page_at_no_cost(self, fleet, connection, simulator, number):
        # Given a worker in the middle of a page
        first = fleet.worker()
        job_id = freeze_in_mid_page(connection, simulator, "leaving")
        # When it is told to end, and another job comes
        send(fleet, first, number)
        other = put_in(connection, "after the bell")
        eventually(lambda: state(connection, other) == "ready")
        # And then the page
        simulator.open_gate()
        # Then it stores that page, takes nothing more, and ends as asked
        assert first.wait(SOON_SECONDS) == 0
        assert cursors_asked(simulator, "leaving") == [0, 30]
        assert len(ledger(connection, job_id)) == 2
        assert attempts(connection, job_id) == [("continue", "worker_stops")]
        left = task(connection, job_id)
        assert (left["state"], left["failures"], left["crashes"], left["waits"]) == ("ready", 0, 0, 0)
        assert job(connection, job_id)["status"] == "processing"
        assert (state(connection, other), task(connection, other)["epoch"]) == ("ready", 0)
        assert connection.execute("SELECT count(*) FROM worker.workers WHERE kind = 'worker'").fetchone() == (0,)
        # And another worker goes on at the next page
        fleet.worker()
        eventually(lambda: is_final(connection, job_id) and is_final(connection, other))
        asked = cursors_asked(simulator, "leaving")
        assert asked == list(range(0, 30 * len(asked), 30))
        assert_complete(connection, job_id, "leaving")
        assert_complete(connection, other, "after the bell")

    def test_an_idle_worker_is_over_at_once(self, fleet, connection):
        worker = fleet.worker()
        eventually(lambda: connection.execute("SELECT 1 FROM worker.workers WHERE kind = 'worker'").fetchone())
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(SOON_SECONDS) == 0
        assert "Traceback" not in fleet.log()

    def test_twice_ends_at_once_and_the_sweep_recovers_the_job(self, fleet, connection, simulator):
        # Given a worker that is told to end in the middle of a page
        first = fleet.worker()
        job_id = freeze_in_mid_page(connection, simulator, "twice")
        send(fleet, first, signal.SIGTERM)
        assert first.poll() is None, "it waits for its page"
        # When it is told again
        first.send_signal(signal.SIGTERM)
        # Then it ends without the page
        assert first.wait(SOON_SECONDS) == 1
        assert len(ledger(connection, job_id)) == 1
        # And another worker goes on when the lease is over: that page is asked for again, no other
        fleet.worker()
        eventually(lambda: is_final(connection, job_id))
        asked = cursors_asked(simulator, "twice")
        assert asked == [0, 30, *range(30, 30 * (len(asked) - 1), 30)]
        assert attempts(connection, job_id) == [("crashed", "lease_expired"), ("completed", "exhausted")]
        assert_complete(connection, job_id, "twice")


class TestAZombie:
    def test_that_slept_past_its_lease_writes_nothing(self, fleet, connection, simulator):
        # Given a worker that falls asleep in the middle of a page, whose answer comes meanwhile
        zombie = fleet.worker()
        log = fleet.logs / "01-actors.log"
        job_id = freeze_in_mid_page(connection, simulator, "zombie")
        zombie.send_signal(signal.SIGSTOP)
        eventually(lambda: psutil.Process(zombie.pid).status() == psutil.STATUS_STOPPED)
        simulator.open_gate()
        # When another worker takes the job over when the lease is over, and finishes it
        second = fleet.worker()
        eventually(lambda: is_final(connection, job_id))
        row, pages = job(connection, job_id), ledger(connection, job_id)
        assert_complete(connection, job_id, "zombie")
        # And the first wakes up
        zombie.send_signal(signal.SIGCONT)
        eventually(lambda: "lease_lost" in log.read_text())
        # Then it has written nothing
        assert (job(connection, job_id), ledger(connection, job_id)) == (row, pages)
        assert_complete(connection, job_id, "zombie")
        assert attempts(connection, job_id) == [("crashed", "lease_expired"), ("completed", "exhausted")]
        # And it is good for more work
        fleet.kill(second)
        again = put_in(connection, "after sleep")
        eventually(lambda: is_final(connection, again))
        assert_complete(connection, again, "after sleep")

    @pytest.mark.slow
    def test_that_wakes_while_another_has_the_job_does_not_disturb_it(self, fleet, connection, simulator):
        # Given a worker that falls asleep in the middle of a page
        zombie = fleet.worker()
        log = fleet.logs / "01-actors.log"
        job_id = freeze_in_mid_page(connection, simulator, "two owners")
        zombie.send_signal(signal.SIGSTOP)
        eventually(lambda: psutil.Process(zombie.pid).status() == psutil.STATUS_STOPPED)
        simulator.open_gate()
        # And another in the middle of the same page
        simulator.set_fault("gate", match={"query": "two owners"}, times=1)
        fleet.worker()
        simulator.wait_for_gate(timeout_seconds=30)
        # When the first wakes up with its answer
        zombie.send_signal(signal.SIGCONT)
        eventually(lambda: "lease_lost" in log.read_text())
        # Then only the second one's page counts
        assert len(ledger(connection, job_id)) == 1
        assert state(connection, job_id) == "leased"
        simulator.open_gate()
        eventually(lambda: is_final(connection, job_id))
        assert_complete(connection, job_id, "two owners")
