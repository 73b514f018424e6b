"""Redis away for long: workers look at Postgres by themselves, say so, and stop it when Redis is back.

And Postgres that cuts connections while background jobs run.
"""

import pytest

from db.session import connect
from platforms.simulator.catalogue import creators_of
from tests.faults.conftest import ITEMS
from tests.faults.servers import cut_connections, own_valkey
from tests.fleet import eventually, fleet_of
from tests.handlers import SETTINGS, make_runs, runs
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
)
from worker.enqueueing import enqueue_scraping_job

pytestmark = pytest.mark.slow

SEED = 1
JOBS = 30
ALONE = 5
MANY = 400
CUTS = 8
TIMERS = {"TRAWLER_DEGRADED_AFTER_SECONDS": "1", "TRAWLER_POLL_SECONDS": "0.2"}
THIN = {"enrich": "none"}


@pytest.fixture
def valkey(tmp_path):
    with own_valkey(tmp_path) as valkey:
        yield valkey


@pytest.fixture
def fleet(database_url, connection, valkey, simulator, tmp_path):
    """A reconciler and two workers."""
    make_runs(connection)
    with fleet_of(database_url, valkey.url, simulator, tmp_path, workers=2, **SETTINGS, **TIMERS) as fleet:
        eventually(lambda: polling(connection) == [False, False])
        yield fleet


@pytest.fixture
def unlimited_afterwards(simulator):
    """The module's provider limits nobody after a test that made it."""
    yield
    simulator.clear_limits()


def polling(connection) -> list[bool]:
    """What each worker says of itself."""
    return [
        told for (told,) in connection.execute("SELECT polling FROM worker.workers WHERE kind = 'worker'").fetchall()
    ]


def worker_logs(fleet) -> list[str]:
    return [path.read_text() for path in sorted(fleet.logs.glob("*-actors.log"))]


def put_in(connection, count: int = JOBS) -> list[str]:
    return [insert_background_job(connection, "counted") for _ in range(count)]


def assert_all_ran_once(connection, jobs: list[str]) -> None:
    eventually(lambda: all(background_is_final(connection, job_id) for job_id in jobs))
    for job_id in jobs:
        assert background_job(connection, job_id)["status"] == "completed"
        assert runs(connection, job_id) == 1
        assert attempts(connection, job_id) == [("completed", "done")]


def redis_goes(connection, valkey) -> None:
    valkey.kill()
    eventually(lambda: polling(connection) == [True, True])


def test_jobs_that_come_while_redis_is_away_are_done_once(fleet, connection, valkey):
    # Given workers that are woken
    assert_all_ran_once(connection, put_in(connection, 3))
    # When Redis goes
    redis_goes(connection, valkey)
    # Then each worker says that it polls
    assert all(log.count('"redis_away"') == 1 for log in worker_logs(fleet))
    # And jobs are done
    assert_all_ran_once(connection, put_in(connection))
    assert polling(connection) == [True, True]
    # When Redis is back
    valkey.start()
    # Then the workers are woken again
    eventually(lambda: polling(connection) == [False, False])
    assert all(log.count('"redis_back"') == 1 for log in worker_logs(fleet))
    assert_all_ran_once(connection, put_in(connection))
    # And when it goes once more, all of it holds once more
    redis_goes(connection, valkey)
    assert_all_ran_once(connection, put_in(connection))
    assert [process.poll() for process in fleet.processes] == [None] * 3


def test_scraping_jobs_may_be_put_in_and_are_done_while_redis_is_away(fleet, connection, database_url, valkey):
    # Given no Redis
    redis_goes(connection, valkey)
    # When one service uses the Python call, which needs none, and another plain SQL
    with connect(database_url, "service") as service, service.transaction():
        enqueued = enqueue_scraping_job(
            service, user_id="user_1", platform="TikTok", keywords=["called"], search_params=THIN
        )
    inserted = insert_job(connection, keywords=["inserted"], target_results=1000, search_params=THIN)
    # Then both are done
    for word, job_id in (("called", enqueued.job_id), ("inserted", inserted)):
        eventually(lambda job_id=job_id: is_final(connection, job_id))
        assert job(connection, job_id)["status"] == "completed", job(connection, job_id)["error"]
        assert stored_ids(connection, job_id) == list(creators_of(SEED, word, ITEMS))
        assert_counters_are_true(connection, job_id)
    assert polling(connection) == [True, True]


def test_calls_to_a_provider_stay_bounded_while_redis_is_away(
    database_url, connection, valkey, simulator, tmp_path, unlimited_afterwards
):
    # Given two workers that make few calls alone, and a provider that allows a little more than both together
    settings = {**TIMERS, "TRAWLER_RATE_WITHOUT_REDIS": str(ALONE)}
    with fleet_of(database_url, valkey.url, simulator, tmp_path, workers=2, **settings) as fleet:
        eventually(lambda: polling(connection) == [False, False])
        redis_goes(connection, valkey)
        simulator.set_limit("scrapecreators", per_second=4 * ALONE)
        # When jobs want many calls at once
        words = [f"bounded {number}" for number in range(6)]
        jobs = [insert_job(connection, keywords=[word], target_results=15) for word in words]
        eventually(lambda: all(is_final(connection, job_id) for job_id in jobs))
        # Then none was more than the provider allows, though nobody counted for all
        (account,) = simulator.limits()["scrapecreators"]["accounts"].values()
        assert account["refused"] == 0
        assert account["allowed"] > 60
        # And every job is complete, by processes that met nothing unexpected
        assert {job(connection, job_id)["status"] for job_id in jobs} == {"completed"}
        assert [process.poll() for process in fleet.processes] == [None] * 3
        assert "slice_failed" not in fleet.log()
        assert polling(connection) == [True, True]


def test_a_worker_that_polls_ends_when_told_to(fleet, connection, valkey):
    # Given workers that poll
    redis_goes(connection, valkey)
    # When they are told to end
    for process in fleet.processes[1:]:
        process.terminate()
    # Then they do, and say goodbye
    assert [process.wait(15) for process in fleet.processes[1:]] == [0, 0]
    assert polling(connection) == []


def test_postgres_that_cuts_connections_costs_background_jobs_neither_attempt_nor_crash(
    servers, database_url, redis_url, witness, simulator, tmp_path
):
    with (
        fleet_of(database_url, redis_url, simulator, tmp_path, workers=2, **SETTINGS) as fleet,
        connect(servers.database_url, "admin") as admin,
    ):
        eventually(lambda: polling(witness) == [False, False])

        def completed() -> int:
            return witness.execute("SELECT count(*) FROM background_jobs WHERE status = 'completed'").fetchone()[0]

        # When all connections of the fleet are cut, each time some jobs are done
        witness.execute(
            "INSERT INTO background_jobs (job_type, payload) SELECT 'noop', '{}' FROM generate_series(1, %s)", (MANY,)
        )
        for done in range(20, MANY, MANY // CUTS):
            eventually(lambda done=done: completed() >= done)
            cut_connections(admin, witness.info.dbname)
        # Then all are done, by the same processes
        eventually(lambda: completed() == MANY)
        assert [process.poll() for process in fleet.processes] == [None] * 3
        # And no task was lost with its lease, or charged
        assert witness.execute(
            "SELECT count(*) FILTER (WHERE crashes > 0), count(*) FILTER (WHERE failures > 0) FROM worker.tasks"
        ).fetchone() == (0, 0)
