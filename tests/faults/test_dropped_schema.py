"""Somebody drops the schema ``worker`` under a running fleet, and it is put back."""

import json
import subprocess

import pytest

from platforms.simulator.catalogue import creators_of
from platforms.simulator.running import running_simulator
from tests.fleet import eventually, fleet_of
from tests.jobs import insert_background_job, insert_job, is_final, job, stored_ids
from tests.processes import run_to_its_end

pytestmark = pytest.mark.slow

SEED = 1
ITEMS = 150
JOBS = 4
THIN = {"enrich": "none"}


@pytest.fixture(scope="module")
def provider():
    with running_simulator("--items-per-query", str(ITEMS), "--latency-ms", "30") as simulator:
        yield simulator


@pytest.fixture
def fleet(database_url, redis_url, provider, tmp_path):
    with fleet_of(database_url, redis_url, provider, tmp_path, workers=2, TRAWLER_SLOTS="4") as fleet:
        yield fleet


def complaints(fleet) -> list[list[str]]:
    """What each process of the fleet has complained about."""
    logs = [path.read_text() for path in sorted(fleet.logs.glob("*.log"))]
    return [
        [line["event"] for line in map(json.loads, log.splitlines()) if line["level"] not in ("info", "debug")]
        for log in logs
    ]


def run_migrate(fleet) -> subprocess.CompletedProcess[str]:
    return run_to_its_end("scripts.migrate", [], fleet.environment, fleet.logs)


def test_a_schema_that_was_dropped_costs_the_cursors_and_no_creator(fleet, connection):
    # Given jobs that have stored some pages
    jobs = {
        f"word {number}": insert_job(connection, keywords=[f"word {number}"], target_results=10_000, search_params=THIN)
        for number in range(JOBS)
    }
    eventually(lambda: connection.execute("SELECT count(*) FROM worker.pages").fetchone()[0] >= 2 * JOBS)
    # When the schema is dropped
    connection.execute("DROP SCHEMA worker CASCADE")
    kept = {word: stored_ids(connection, job_id) for word, job_id in jobs.items()}
    assert any(kept.values())
    # Then the application's rows go in and are changed as ever
    jobs["later"] = insert_job(connection, keywords=["later"], target_results=10_000, search_params=THIN)
    background = insert_background_job(connection, "noop")
    connection.execute("UPDATE scraping_jobs SET status = 'pending' WHERE id = %s::uuid", (jobs["later"],))
    # And every process says what is wrong, once, and lives on
    eventually(lambda: all("schema_missing" in told for told in complaints(fleet)))
    for command in ("doctor", "status"):
        told = fleet.ops(command)
        assert told.returncode in (1, 2)
        assert "./run migrate" in told.stdout + told.stderr
    assert all(told.count("schema_missing") == 1 for told in complaints(fleet)), complaints(fleet)
    assert not {event for told in complaints(fleet) for event in told} - {"schema_missing", "lease_lost"}
    # When it is migrated again
    migrated = run_migrate(fleet)
    assert (migrated.returncode, migrated.stderr) == (0, "")
    # Then what is pending is done, by the same processes
    eventually(lambda: is_final(connection, jobs["later"]))
    eventually(
        lambda: (
            connection.execute("SELECT status FROM background_jobs WHERE id = %s::uuid", (background,)).fetchone()
            == ("completed",)
        )
    )
    # And doctor names the rows whose tasks are lost, and what to do
    orphans = [job_id for job_id in jobs.values() if job(connection, job_id)["status"] == "processing"]
    assert orphans
    assert "set their status to 'pending'" in fleet.ops("doctor").stdout
    connection.execute("UPDATE scraping_jobs SET status = 'pending' WHERE id = ANY (%s::uuid[])", (orphans,))
    # And then every job completes, with what it had, and each creator once
    eventually(lambda: all(is_final(connection, job_id) for job_id in jobs.values()))
    for word, job_id in jobs.items():
        row, stored = job(connection, job_id), stored_ids(connection, job_id)
        assert row["status"] == "completed", row["error"]
        assert stored[: len(kept.get(word, ()))] == kept.get(word, [])
        assert sorted(stored) == sorted(creators_of(SEED, word, ITEMS))
        assert row["processed_results"] == len(stored)
    assert [process.poll() for process in fleet.processes] == [None] * 3
