"""A worker killed, put to sleep or told to end at each named point of a job's way, from before its claim to its end.

What must come of it stands in one table, `tests.faults.points.POINTS`.
"""

import signal
from collections.abc import Iterator

import psutil
import pytest

from platforms.simulator.catalogue import creators_of
from platforms.simulator.settings import SEARCH_PATH
from tests.faults.conftest import ITEMS
from tests.faults.points import DONE, POINTS, SLICE_ENDED, SOON_SECONDS, Halted, Stage, put_in
from tests.fleet import Fleet, eventually
from tests.jobs import assert_counters_are_true, attempts, is_final, job, state, stored_ids, task
from tests.processes import ForkedProcess

SEED = 1
PAGE = 30
TIMERS = {"TRAWLER_LEASE_SECONDS": "2", "TRAWLER_BEAT_SECONDS": "0.4"}


def points(quick: str, leave_out: str = "") -> pytest.MarkDecorator:
    """Every point but one that is left out; all are slow but the quick one."""
    return pytest.mark.parametrize(
        "point",
        [
            pytest.param(point, id=point.name, marks=() if point.name == quick else pytest.mark.slow)
            for point in POINTS
            if point.name != leave_out
        ],
    )


@pytest.fixture(scope="module")
def fleet(module_database_url, module_redis_url, module_simulator, tmp_path_factory) -> Iterator[Fleet]:
    """A fleet with a reconciler and no worker."""
    logs = tmp_path_factory.mktemp("fleet")
    with Fleet(module_database_url, module_redis_url, module_simulator.url, logs, **TIMERS) as fleet:
        fleet.reconciler()
        yield fleet


@pytest.fixture
def stage(fleet, simulator, rows, module_database_url, tmp_path) -> Iterator[Stage]:
    yield Stage(fleet, simulator, rows, module_database_url, tmp_path)
    assert fleet.processes[0].poll() is None, "the reconciler ended"
    for worker in fleet.processes[1:]:
        fleet.kill(worker)
    # What a failed test left behind must not come in the way of the next.
    rows.execute("UPDATE scraping_jobs SET status = 'cancelled' WHERE status IN ('pending', 'processing')")


@pytest.fixture
def word(request) -> str:
    """A word that no other test asks for."""
    return request.node.name


def log_of(stage: Stage, worker: ForkedProcess) -> str:
    (path,) = stage.fleet.logs.glob(f"{stage.fleet.processes.index(worker):02}-*.log")
    return path.read_text(errors="replace")


def pages(stage: Stage, job_id: str) -> list[tuple]:
    """What is known of each page: its number, the epoch that stored it, what it stored, and when."""
    return stage.rows.execute(
        "SELECT p.seq, p.epoch, p.stored, p.written_at FROM worker.pages p JOIN worker.tasks t ON t.id = p.task_id"
        " WHERE t.job_id = %s ORDER BY p.seq",
        (job_id,),
    ).fetchall()


def assert_whole(stage: Stage, job_id: str, word: str, paid_twice: tuple[int, ...] = ()) -> None:
    """Every creator is stored once, and every page was asked for once but those that had to be paid twice."""
    assert job(stage.rows, job_id)["status"] == "completed", job(stage.rows, job_id)["error"]
    assert stored_ids(stage.rows, job_id) == list(creators_of(SEED, word, ITEMS))
    assert_counters_are_true(stage.rows, job_id)
    assert task(stage.rows, job_id)["failures"] == 0
    asked = [call["params"] for call in stage.simulator.calls(SEARCH_PATH)]
    numbers = sorted([*range(1, len(pages(stage, job_id)) + 1), *paid_twice])
    assert [int(params["cursor"]) for params in asked if params["query"] == word] == [PAGE * (n - 1) for n in numbers]


def assert_slices(stage: Stage, job_id: str, slices: list[tuple[str, str]], epochs: tuple[int, int, int]) -> None:
    """The job took exactly these slices, and the pages were stored by these of them."""
    assert attempts(stage.rows, job_id) == slices
    first, second, *others = [epoch for _, epoch, *_ in pages(stage, job_id)]
    assert (first, second, set(others)) == (*epochs[:2], {epochs[2]})


def assert_fit_for_more(stage: Stage, word: str) -> None:
    """Whoever is left does the next job as if nothing had been."""
    other = f"{word}, and then"
    job_id = put_in(stage, other)
    eventually(lambda: is_final(stage.rows, job_id))
    assert_whole(stage, job_id, other)
    assert set(attempts(stage.rows, job_id)) <= {SLICE_ENDED, DONE}


def put_to_sleep(halted: Halted) -> None:
    """Stop it, and let what it waits for come while it sleeps."""
    halted.worker.send_signal(signal.SIGSTOP)
    eventually(lambda: psutil.Process(halted.worker.pid).status() == psutil.STATUS_STOPPED)
    halted.let_go()


class TestAWorkerThatIsKilled:
    @points(quick="inside the commit")
    def test_costs_a_crash_where_it_held_a_lease_and_a_call_where_its_page_was_not_in(self, stage, word, point):
        # Given a worker at the point
        with point.halted(stage, word) as halted:
            # When it is killed
            stage.fleet.kill(halted.worker)
            halted.let_go()
        # Then another makes the job whole, and the next
        stage.fleet.worker("--slots", "1")
        eventually(lambda: is_final(stage.rows, halted.job_id))
        assert_whole(stage, halted.job_id, word, point.paid_twice)
        assert_slices(stage, halted.job_id, point.lost, point.epochs)
        assert_fit_for_more(stage, word)


class TestAWorkerThatSleepsPastItsLease:
    @points(quick="")
    def test_writes_nothing_once_another_has_finished(self, stage, word, point):
        # Given a worker that falls asleep at the point
        with point.halted(stage, word) as halted:
            put_to_sleep(halted)
        # And another that makes the job whole
        second = stage.fleet.worker("--slots", "1")
        eventually(lambda: is_final(stage.rows, halted.job_id))
        stage.fleet.kill(second)
        row, stored = job(stage.rows, halted.job_id), pages(stage, halted.job_id)
        # When the first wakes up, and does the next job
        halted.worker.send_signal(signal.SIGCONT)
        assert_fit_for_more(stage, word)
        # Then it has not touched the first one
        assert ("lease_lost" in log_of(stage, halted.worker)) == point.crashes
        assert (job(stage.rows, halted.job_id), pages(stage, halted.job_id)) == (row, stored)
        assert_whole(stage, halted.job_id, word, point.paid_twice)
        assert_slices(stage, halted.job_id, point.lost, point.epochs)

    @points(quick="after the fetch", leave_out="after the settle, before the acknowledgement")
    def test_writes_nothing_while_another_is_in_mid_page(self, stage, word, point):
        # Given a worker that falls asleep at the point
        with point.halted(stage, word) as halted:
            put_to_sleep(halted)
        # And another in the middle of its first page
        stage.simulator.set_fault("gate", match={"query": word}, times=1)
        stage.fleet.worker("--slots", "1")
        stage.simulator.wait_for_gate(timeout_seconds=SOON_SECONDS)
        row, stored = job(stage.rows, halted.job_id), pages(stage, halted.job_id)
        # When the first wakes up, and does the next job, as the other's only slot is taken
        halted.worker.send_signal(signal.SIGCONT)
        assert_fit_for_more(stage, word)
        # Then it has not touched the first one
        assert ("lease_lost" in log_of(stage, halted.worker)) == point.crashes
        assert (job(stage.rows, halted.job_id), pages(stage, halted.job_id)) == (row, stored)
        assert state(stage.rows, halted.job_id) == "leased"
        # And the other goes on as if alone
        stage.simulator.open_gate()
        eventually(lambda: is_final(stage.rows, halted.job_id))
        assert_whole(stage, halted.job_id, word, point.paid_twice)
        assert_slices(stage, halted.job_id, point.lost, point.epochs)


class TestAWorkerThatIsToldToEnd:
    @points(quick="after the claim")
    def test_leaves_after_its_page_with_no_crash_and_no_call_paid_twice(self, stage, word, point):
        # Given a worker at the point
        with point.halted(stage, word) as halted:
            # When it is told to end, and then comes past the point
            halted.worker.send_signal(signal.SIGTERM)
            eventually(lambda: "worker_drains" in log_of(stage, halted.worker))
            halted.let_go()
        # Then it ends as asked
        assert halted.worker.wait(SOON_SECONDS) == 0
        # And another makes the job whole, and the next
        stage.fleet.worker("--slots", "1")
        eventually(lambda: is_final(stage.rows, halted.job_id))
        assert_whole(stage, halted.job_id, word)
        assert_slices(stage, halted.job_id, point.told, point.told_epochs)
        assert_fit_for_more(stage, word)
