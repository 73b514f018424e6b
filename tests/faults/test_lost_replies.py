"""A statement is done and its reply is lost: it is asked for again, and nothing is done or paid twice."""

import pytest

from platforms.simulator.catalogue import creators_of
from platforms.simulator.settings import SEARCH_PATH
from tests.faults.conftest import ITEMS
from tests.faults.proxy import proxied
from tests.fleet import Fleet, eventually
from tests.jobs import (
    assert_counters_are_true,
    attempts,
    background_is_final,
    background_job,
    insert_background_job,
    insert_job,
    is_final,
    job,
    stored_ids,
    task,
)

SEED = 1
THIN = {"enrich": "none"}

CLAIM = "FROM worker.claim("
COMMIT = "INSERT INTO worker.pages"
SETTLE = "INSERT INTO worker.attempts"
RENEW = "FROM mine m WHERE t.id = m.id"
TICK = "INSERT INTO worker.workers"


@pytest.fixture(scope="module")
def module_proxy(module_database_url):
    with proxied(module_database_url) as proxy:
        yield proxy


@pytest.fixture(scope="module")
def fleet(module_database_url, module_redis_url, module_proxy, module_simulator, tmp_path_factory):
    """A reconciler with a way of its own, and one worker behind the proxy."""
    logs = tmp_path_factory.mktemp("fleet")
    with Fleet(module_database_url, module_redis_url, module_simulator.url, logs) as fleet:
        fleet.reconciler()
        fleet.worker(DATABASE_URL=module_proxy.url, TRAWLER_BEAT_SECONDS="0.2")
        yield fleet


@pytest.fixture
def proxy(module_proxy):
    """The proxy before it has lost anything."""
    module_proxy.swallowed = 0
    return module_proxy


@pytest.fixture
def connection(rows, fleet):
    """The module's database, with a worker; afterwards every process must still be the first one."""
    eventually(lambda: rows.execute("SELECT 1 FROM worker.workers WHERE kind = 'worker'").fetchone())
    yield rows
    assert [process.poll() for process in fleet.processes] == [None, None]


def assert_done_once(connection, simulator, job_id: str, word: str) -> None:
    """The job is complete, each page was asked for once, and nothing was held against the job."""
    eventually(lambda: is_final(connection, job_id))
    assert job(connection, job_id)["status"] == "completed", job(connection, job_id)["error"]
    assert stored_ids(connection, job_id) == list(creators_of(SEED, word, ITEMS))
    assert_counters_are_true(connection, job_id)
    eventually(lambda: attempts(connection, job_id))
    assert attempts(connection, job_id) == [("completed", "exhausted")]
    told = task(connection, job_id)
    assert (told["failures"], told["crashes"], told["waits"], told["epoch"]) == (0, 0, 0, 1)
    asked = [int(call["params"]["cursor"]) for call in simulator.calls(SEARCH_PATH) if call["params"]["query"] == word]
    assert asked == list(range(0, 30 * len(asked), 30))


@pytest.mark.parametrize(
    ("statement", "times"),
    [(CLAIM, 1), (CLAIM, 4), (COMMIT, 1), (COMMIT, 3), (SETTLE, 1), (SETTLE, 2)],
    ids=["claim", "claim four times", "page", "page three times", "settle", "settle twice"],
)
def test_of_a_slice_costs_no_attempt_no_crash_and_no_call(connection, proxy, simulator, statement, times):
    # When replies are lost after the statement was done
    word = f"lost {times} of {statement.split()[-1]}"
    proxy.swallow_replies(statement, times)
    job_id = insert_job(connection, keywords=[word], target_results=1000, search_params=THIN)
    # Then the job is done as if nothing had been
    assert_done_once(connection, simulator, job_id, word)
    eventually(lambda: proxy.swallowed == times, 5)


@pytest.mark.parametrize("statement", [RENEW, TICK], ids=["renewal", "sign of life"])
def test_of_a_heartbeat_costs_a_connection_and_no_lease(connection, proxy, simulator, statement):
    # Given a worker in the middle of a page
    word = f"beaten {statement.split()[-1]}"
    simulator.set_fault("gate", match={"query": word}, after=1, times=1)
    job_id = insert_job(connection, keywords=[word], target_results=1000, search_params=THIN)
    simulator.wait_for_gate()
    # When the replies to several beats are lost
    proxy.swallow_replies(statement, 3)
    eventually(lambda: proxy.swallowed == 3)
    expires_at = task(connection, job_id)["expires_at"]
    # Then the beats go on
    eventually(lambda: task(connection, job_id)["expires_at"] > expires_at)
    simulator.open_gate()
    assert_done_once(connection, simulator, job_id, word)


@pytest.mark.parametrize(("statement", "times"), [(CLAIM, 1), (SETTLE, 2)], ids=["claim", "settle"])
def test_of_a_batch_of_background_jobs_runs_none_of_them_twice(connection, proxy, statement, times):
    # When replies are lost while jobs come in a batch
    proxy.swallow_replies(statement, times)
    with connection.transaction():
        jobs = [insert_background_job(connection, "noop") for _ in range(5)]
    # Then each job ran in one slice, and nothing was held against it
    eventually(lambda: all(background_is_final(connection, job_id) for job_id in jobs))
    for job_id in jobs:
        assert background_job(connection, job_id)["status"] == "completed"
        eventually(lambda job_id=job_id: attempts(connection, job_id))
        assert attempts(connection, job_id) == [("completed", "done")]
        assert (task(connection, job_id)["crashes"], task(connection, job_id)["epoch"]) == (0, 1)
    eventually(lambda: proxy.swallowed == times, 5)
