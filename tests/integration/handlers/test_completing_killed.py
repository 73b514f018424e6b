"""A worker that dies with everything done but the commit has done nothing; another does it once."""

import pytest

from db.session import connect
from platforms.simulator.running import running_simulator
from tests.faults.points import waiting_backend
from tests.fleet import Fleet, eventually
from tests.integration.handlers.halting import GATE
from tests.jobs import attempts, background_is_final, background_job, insert_background_job, task


@pytest.mark.slow
def test_a_worker_killed_before_the_commit_leaves_neither_effect_nor_end(database_url, redis_url, connection, tmp_path):
    connection.execute("CREATE TABLE effects (job_id text NOT NULL)")
    settings = {"TRAWLER_HANDLERS": "tests.integration.handlers.halting"}
    with (
        running_simulator() as simulator,
        Fleet(database_url, redis_url, simulator.url, tmp_path, **settings) as fleet,
        connect(database_url, "gate", autocommit=False) as gate,
    ):
        fleet.reconciler()
        gate.execute("SELECT pg_advisory_xact_lock(%s)", (GATE,))
        # Given a worker that waits before its commit
        worker = fleet.worker()
        job_id = insert_background_job(connection, "halting")
        eventually(lambda: waiting_backend(connection, "pg_advisory_xact_lock_shared"))
        # When it is killed, and its backend notices
        fleet.kill(worker)
        gate.rollback()
        eventually(lambda: task(connection, job_id)["state"] != "leased")
        # Then nothing was done
        assert connection.execute("SELECT count(*) FROM effects").fetchone() == (0,)
        assert background_job(connection, job_id)["status"] == "processing"
        # When another takes it
        fleet.worker()
        eventually(lambda: background_is_final(connection, job_id))
        # Then it is done once
        assert connection.execute("SELECT job_id FROM effects").fetchall() == [(job_id,)]
        assert (background_job(connection, job_id)["status"], background_job(connection, job_id)["result"]) == (
            "completed",
            "done",
        )
        assert attempts(connection, job_id) == [("crashed", "lease_expired"), ("completed", "done")]
