"""Too little of what a worker needs from Postgres: one connection for all its slices, or a vacuum that is held back."""

import sys
from uuid import uuid4

import pytest

from db.session import connect
from platforms.simulator.catalogue import creators_of
from tests.fleet import eventually, fleet_of
from tests.handlers import GATE, SETTINGS
from tests.integration.engine.steps import LANE, adopt, make_lanes
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
ITEMS = 80
SLOTS = 32
GATED = 8
THIN = {"enrich": "none"}


def expiries(connection) -> dict[int, object]:
    """When each lease ends, by task."""
    return dict(connection.execute("SELECT id, expires_at FROM worker.tasks WHERE state = 'leased'").fetchall())


def swept(connection) -> int:
    (count,) = connection.execute("SELECT count(*) FROM worker.attempts WHERE outcome = 'crashed'").fetchone()
    return count


@pytest.mark.slow
def test_one_connection_for_all_slices_costs_time_and_no_lease(
    database_url, redis_url, connection, simulator, tmp_path
):
    settings = {"TRAWLER_DATABASE_CONNECTIONS": "1", "TRAWLER_SLOTS": str(SLOTS), "TRAWLER_BACKGROUND_BATCH": "1"}
    timers = {"TRAWLER_LEASE_SECONDS": "2", "TRAWLER_BEAT_SECONDS": "0.5"}
    with (
        fleet_of(database_url, redis_url, simulator, tmp_path, **SETTINGS, **settings, **timers) as fleet,
        connect(database_url, "test") as gate,
    ):
        # Given slices that hold the one connection as long as the gate is shut, and many that want it
        gate.execute("SELECT pg_advisory_lock(%s)", (GATE,))
        words = [f"scarce {number}" for number in range(SLOTS)]
        jobs = {
            word: insert_job(connection, user_id=word, keywords=[word], target_results=1000, search_params=THIN)
            for word in words
        }
        eventually(lambda: len(expiries(connection)) >= 8)
        gated = [insert_background_job(connection, "gated") for _ in range(GATED)]
        eventually(
            lambda: connection.execute(
                "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'advisory'"
            ).fetchone()
        )
        # When that lasts for several leases
        held = expiries(connection)
        assert held
        for _ in range(3):
            last = max(expiries(connection).values())
            eventually(lambda last=last: connection.execute("SELECT clock_timestamp() > %s", (last,)).fetchone()[0])
        # Then no lease was lost meanwhile
        assert set(held) <= set(expiries(connection))
        assert swept(connection) == 0
        # And when the connection is free again, all is done, and nothing was held against a job
        gate.execute("SELECT pg_advisory_unlock(%s)", (GATE,))
        eventually(lambda: all(is_final(connection, job_id) for job_id in jobs.values()))
        for word, job_id in jobs.items():
            assert job(connection, job_id)["status"] == "completed", job(connection, job_id)["error"]
            assert stored_ids(connection, job_id) == list(creators_of(SEED, word, ITEMS))
            assert_counters_are_true(connection, job_id)
        eventually(lambda: all(background_is_final(connection, job_id) for job_id in gated))
        for job_id in gated:
            assert background_job(connection, job_id)["status"] == "completed"
            assert attempts(connection, job_id) == [("completed", "done")]
        assert swept(connection) == 0
        assert {task(connection, job_id)["failures"] for job_id in jobs.values()} == {0}
        assert [process.poll() for process in fleet.processes] == [None] * 2


MANY = 300
TENANTS = 30
AT_ONCE = 100
VERSIONS = 20_000
MOST_BUFFERS = VERSIONS * 5 // 2
"""What a claim may touch over so many dead versions that cannot be removed; it is less than two for each."""
WITHOUT = 2_000
"""What it may touch once they can be."""
CLAIM_MANY = f"""
SELECT FROM worker.claim('{LANE}', 'churn', ARRAY(SELECT gen_random_uuid() FROM generate_series(1, {AT_ONCE})),
                         interval '1 min', interval '1 hour')
"""
BEAT_FOR_THEM = "UPDATE worker.tasks SET expires_at = clock_timestamp() + interval '1 min' WHERE state = 'leased'"
GIVE_THEM_BACK = """
UPDATE worker.tasks SET state = 'ready', last_token = token, token = NULL, owner = NULL, expires_at = NULL
 WHERE state = 'leased'
"""
TURN = (CLAIM_MANY, BEAT_FOR_THEM, GIVE_THEM_BACK)
"""Claimed, beaten for and given back, as slices do."""


def claim_cost(connection) -> int:
    """Buffers that one claim touches, the function's statements included; rolled back."""
    claim = f"SELECT * FROM worker.claim('{LANE}', 'w', ARRAY['{uuid4()}'::uuid], interval '1 min', interval '1 hour')"
    with connection.transaction(force_rollback=True):
        ((plan,),) = connection.execute(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {claim}".encode()).fetchall()
    return plan[0]["Plan"]["Shared Hit Blocks"] + plan[0]["Plan"]["Shared Read Blocks"]


@pytest.mark.slow
def test_a_snapshot_held_for_long_makes_claims_dearer_by_a_known_measure_and_ends_no_job(
    database_url, redis_url, connection, simulator, tmp_path, record_property
):
    make_lanes(connection)
    costs = {}
    with connect(database_url, "somebody", autocommit=False) as somebody:
        # Given a transaction that somebody forgot, and jobs that come after it
        somebody.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        somebody.execute("SELECT count(*) FROM scraping_jobs")
        jobs = [
            insert_job(
                connection, user_id=f"user_{number % TENANTS}", keywords=[f"snapshot {number}"], target_results=20,
                search_params=THIN,
            )
            for number in range(MANY)
        ]  # fmt: skip
        while adopt(connection)[0]:
            pass
        connection.execute("VACUUM ANALYZE worker.tasks")
        costs["before"] = claim_cost(connection)
        # When their tasks are changed again and again
        changed = 0
        while changed < VERSIONS:
            changed += sum(connection.execute(statement.encode()).rowcount for statement in TURN)
        connection.execute("VACUUM worker.tasks")
        costs["held"] = claim_cost(connection)
        # Then a claim touches more, in proportion
        assert costs["held"] < MOST_BUFFERS
        # And workers do all of it meanwhile
        timers = {"TRAWLER_LEASE_SECONDS": "20", "TRAWLER_BEAT_SECONDS": "2"}
        with fleet_of(database_url, redis_url, simulator, tmp_path, workers=2, **timers) as fleet:
            eventually(lambda: all(is_final(connection, job_id) for job_id in jobs))
            assert [process.poll() for process in fleet.processes] == [None] * 3
        eventually(lambda: not expiries(connection))
        for job_id in jobs:
            assert job(connection, job_id)["status"] == "completed"
            assert attempts(connection, job_id) == [("completed", "target_reached")]
            assert_counters_are_true(connection, job_id)
        # When it is over, vacuum takes all of it away
    connection.execute("VACUUM worker.tasks")
    costs["after"] = claim_cost(connection)
    record_property("buffers of a claim", costs)
    sys.stdout.write(f"buffers of a claim: {costs}\n")
    assert costs["after"] < WITHOUT
