"""Workers that end by themselves: after enough work, for their memory, for a blocked loop; and jobs that kill them."""

import signal

import pytest

from tests.fleet import Fleet, eventually
from tests.handlers import SETTINGS, make_runs, runs
from tests.jobs import (
    attempts,
    background_is_final,
    background_job,
    insert_background_job,
    state,
    task,
)

pytestmark = pytest.mark.slow

NO_PROVIDER = "http://127.0.0.1:9"
UNHEALTHY = 75
END_SECONDS = 30
PARK_AFTER = 3
TIMERS = {
    "TRAWLER_LEASE_SECONDS": "2",
    "TRAWLER_BEAT_SECONDS": "0.4",
    "TRAWLER_PARK_AFTER_CRASHES": str(PARK_AFTER),
    "TRAWLER_SLOTS": "2",
    "TRAWLER_BACKGROUND_BATCH": "1",
}


@pytest.fixture
def fleet(database_url, connection, redis_url, tmp_path):
    """A fleet with a reconciler and no worker yet."""
    make_runs(connection)
    with Fleet(database_url, redis_url, NO_PROVIDER, tmp_path, **SETTINGS, **TIMERS) as fleet:
        fleet.reconciler()
        yield fleet


def is_done(connection, job_id: str) -> bool:
    return background_is_final(connection, job_id)


def owners(connection) -> list[str]:
    return [name for (name,) in connection.execute("SELECT id FROM worker.workers WHERE kind = 'worker'").fetchall()]


def crashes(connection, job_id: str) -> list[dict]:
    """What is known of each crash of a job, in order."""
    rows = connection.execute(
        "SELECT a.owner, a.evidence FROM worker.attempts a JOIN worker.tasks t ON t.id = a.task_id"
        " WHERE t.job_id = %s AND a.outcome = 'crashed' ORDER BY a.id",
        (job_id,),
    ).fetchall()
    return [{"owner": owner, **evidence} for owner, evidence in rows]


def cut_short_the_pause(connection, job_id: str) -> None:
    """A task that crashed is due at once, which spares the test its backoff."""
    connection.execute(
        "UPDATE worker.tasks SET run_at = clock_timestamp() WHERE job_id = %s AND state = 'waiting'", (job_id,)
    )


def assert_parked(connection, job_id: str) -> None:
    parked, row = task(connection, job_id), background_job(connection, job_id)
    assert (parked["state"], parked["crashes"], parked["failures"]) == ("parked", PARK_AFTER, 0)
    assert attempts(connection, job_id) == [("crashed", "lease_expired")] * PARK_AFTER
    assert (row["status"], row["completed_at"]) == ("failed", None)
    assert row["failed_at"] is not None
    assert str(PARK_AFTER) in row["error"]


class TestAWorkerThatDidEnough:
    def test_drains_and_ends_and_another_goes_on(self, fleet, connection):
        # Given more jobs than a worker does in its life
        jobs = [insert_background_job(connection, "counted") for _ in range(15)]
        settings = {"TRAWLER_RECYCLE_SLICES": "3", "TRAWLER_SLOTS": "1"}
        workers = [fleet.worker(**settings)]

        def all_done() -> bool:
            # When each that ended is replaced
            if workers[-1].poll() is not None:
                workers.append(fleet.worker(**settings))
            return all(is_done(connection, job_id) for job_id in jobs)

        eventually(all_done)
        # Then each ended well, having said goodbye
        ended = [worker.wait(END_SECONDS) for worker in workers[:-1]]
        assert len(ended) >= 2
        assert set(ended) == {0}
        assert len(owners(connection)) <= 1
        # And each job ran once, and none was taken for crashed
        for job_id in jobs:
            assert background_job(connection, job_id)["status"] == "completed"
            assert runs(connection, job_id) == 1
            given_back = [("continue", "worker_stops")] * (len(attempts(connection, job_id)) - 1)
            assert attempts(connection, job_id) == [*given_back, ("completed", "done")]
            assert task(connection, job_id)["crashes"] == task(connection, job_id)["failures"] == 0
        assert fleet.log().count("worker_recycles") >= len(ended)

    def test_lets_a_slice_finish_that_takes_longer(self, fleet, connection, gate):
        # Given a job in mid-run
        slow = insert_background_job(connection, "gated")
        worker = fleet.worker(TRAWLER_RECYCLE_SLICES="1")
        eventually(lambda: state(connection, slow) == "leased")
        # When the worker has done enough in its other slot
        quick = insert_background_job(connection, "counted")
        eventually(lambda: is_done(connection, quick))
        eventually(lambda: "worker_drains" in fleet.log())
        # Then it waits for the slow one, whose lease it keeps
        held_since = task(connection, slow)["expires_at"]
        eventually(lambda: task(connection, slow)["expires_at"] > held_since)
        assert worker.poll() is None
        gate.close()
        assert worker.wait(END_SECONDS) == 0
        assert background_job(connection, slow)["result"] == "through"
        assert attempts(connection, slow) == [("completed", "done")]

    def test_is_one_that_holds_too_much_memory(self, fleet, connection):
        # Given a worker below its limit, which goes on
        worker = fleet.worker(TRAWLER_RECYCLE_RSS_MB="400", TRAWLER_LEASE_SECONDS="30")
        small = insert_background_job(connection, "grow", {"megabytes": 1})
        eventually(lambda: is_done(connection, small))
        assert "worker_recycles" not in fleet.log()
        # When a job makes it grow
        large = insert_background_job(connection, "grow", {"megabytes": 400})
        # Then it ends, with the job done
        assert worker.wait(END_SECONDS) == 0
        assert background_job(connection, large)["status"] == "completed", fleet.log()
        assert "worker_recycles" in fleet.log()


class TestASliceThatHangs:
    LIMITS = {  # noqa: RUF012 - a constant
        "TRAWLER_SLICE_LIMIT_SECONDS": "2",
        "TRAWLER_SLICE_SECONDS": "1",
        "TRAWLER_PROVIDER_TOTAL_SECONDS": "1",
    }

    def test_loses_its_lease_frees_its_slot_and_is_parked_in_the_end(self, fleet, connection):
        # Given a worker with one slot, and a job that never ends
        worker = fleet.worker("--slots", "1", **self.LIMITS)
        hung = insert_background_job(connection, "hang", priority=-1000)
        eventually(lambda: state(connection, hung) == "leased")
        (owner,) = owners(connection)
        # When another waits for the slot
        other = insert_background_job(connection, "counted")
        # Then it gets it once the slice has passed its limit
        eventually(lambda: is_done(connection, other))
        assert "slice_hung" in fleet.log()

        # And the one that hangs counts as crashed, and is given up after some of these
        def parked() -> bool:
            cut_short_the_pause(connection, hung)
            return state(connection, hung) == "parked"

        eventually(parked)
        assert_parked(connection, hung)
        for crash in crashes(connection, hung):
            assert (crash["owner"], crash["pid"]) == (owner, worker.pid)
            assert crash["host"]
            assert crash["last_tick_at"]
            assert crash["rss_mb"] > 0
        # And the worker is good for more, with no crash of the other
        again = insert_background_job(connection, "counted")
        eventually(lambda: is_done(connection, again))
        assert (runs(connection, other), runs(connection, again)) == (1, 1)
        assert worker.poll() is None


class TestAJobThatKillsItsWorker:
    def test_is_parked_with_what_is_known_and_the_others_go_on(self, fleet, connection):
        # Given a job that ends its process at once, among others
        before = [insert_background_job(connection, "counted") for _ in range(3)]
        workers = [fleet.worker()]
        eventually(lambda: all(is_done(connection, job_id) for job_id in before))
        killer = insert_background_job(connection, "kill_me")

        def parked() -> bool:
            # When each killed worker is replaced
            if workers[-1].poll() is not None:
                workers.append(fleet.worker())
            cut_short_the_pause(connection, killer)
            return state(connection, killer) == "parked"

        eventually(parked)
        # Then it is given up after some of these, and each names the process that it killed
        assert_parked(connection, killer)
        known = crashes(connection, killer)
        assert [worker.wait(END_SECONDS) for worker in workers[:PARK_AFTER]] == [-signal.SIGKILL] * PARK_AFTER
        assert [crash["pid"] for crash in known] == [worker.pid for worker in workers[:PARK_AFTER]]
        assert len({crash["owner"] for crash in known}) == PARK_AFTER
        assert all(crash["host"] for crash in known)
        # And the others are done, then and now
        if workers[-1].poll() is not None:
            workers.append(fleet.worker())
        after = [insert_background_job(connection, "counted") for _ in range(3)]
        eventually(lambda: all(is_done(connection, job_id) for job_id in after))
        assert all(attempts(connection, job_id) == [("completed", "done")] for job_id in before + after)
        assert workers[-1].poll() is None

    def test_may_be_tried_again_by_the_application(self, fleet, connection):
        # Given a job that was parked for its crashes
        job_id = insert_background_job(connection, "kill_me")
        fleet.worker().wait(END_SECONDS)
        connection.execute("UPDATE worker.tasks SET crashes = %s WHERE job_id = %s", (PARK_AFTER - 1, job_id))
        eventually(lambda: state(connection, job_id) == "parked")
        assert background_job(connection, job_id)["status"] == "failed"
        # When what it asks for is mended and the application sets it to pending
        connection.execute(
            "UPDATE background_jobs SET job_type = 'counted', status = 'pending' WHERE id = %s::uuid", (job_id,)
        )
        fleet.worker()
        # Then it runs
        eventually(lambda: is_done(connection, job_id))
        row = background_job(connection, job_id)
        assert (row["status"], row["result"], row["error"], row["failed_at"]) == ("completed", 1, None, None)
        assert task(connection, job_id)["crashes"] == 0


class TestAWorkerWhoseLoopIsBlocked:
    def test_ends_itself_and_another_goes_on(self, fleet, connection):
        # Given a worker that may be silent for some seconds
        first = fleet.worker(TRAWLER_UNHEALTHY_SECONDS="3")
        eventually(lambda: owners(connection))
        # When a job holds its event loop up for good
        blocking = insert_background_job(connection, "block_loop")
        # Then it ends with a code that a supervisor can tell, and says what was silent
        assert first.wait(END_SECONDS) == UNHEALTHY
        assert '"process_unhealthy"' in fleet.log()
        assert '"event loop"' in fleet.log()
        # And the job counts as crashed
        eventually(lambda: crashes(connection, blocking))
        assert crashes(connection, blocking)[0]["pid"] == first.pid
        # And another worker does what comes, once the application has called the job off
        connection.execute("UPDATE background_jobs SET status = 'failed' WHERE id = %s::uuid", (blocking,))
        fleet.worker()
        other = insert_background_job(connection, "counted")
        eventually(lambda: is_done(connection, other))
        assert attempts(connection, other) == [("completed", "done")]
