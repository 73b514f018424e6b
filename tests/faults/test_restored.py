"""A fail-over to a copy that is a little behind: the newest commits are gone, and those who made them live on."""

import shutil
from pathlib import Path

import pytest

from db.migrating import migrate
from db.session import connect
from platforms.simulator.catalogue import creators_of
from platforms.simulator.running import running_simulator
from platforms.simulator.settings import SEARCH_PATH
from tests.faults.servers import own_postgres
from tests.fleet import eventually, fleet_of
from tests.jobs import assert_counters_are_true, attempts, insert_job, is_final, job, stored_ids, task

pytestmark = pytest.mark.slow

SEED = 1
ITEMS = 300
JOBS = 8
THIN = {"enrich": "none"}


@pytest.fixture(scope="module")
def provider():
    with running_simulator("--items-per-query", str(ITEMS), "--latency-ms", "60") as simulator:
        yield simulator


@pytest.fixture
def postgres(tmp_path):
    """A Postgres of its own, with our schema."""
    folder = tmp_path / "postgres"
    folder.mkdir()
    with own_postgres(folder) as postgres:
        migrate(postgres.url)
        yield postgres


def put_in(postgres, word: str) -> str:
    with connect(postgres.url, "test") as connection:
        return insert_job(connection, keywords=[word], target_results=10_000, search_params=THIN)


def pages(postgres) -> int:
    with connect(postgres.url, "test") as connection:
        return connection.execute("SELECT count(*) FROM worker.pages").fetchone()[0]


def copy_while_it_runs(postgres, kept: Path) -> None:
    """A base copy as ``pg_basebackup`` makes one; what is committed after it is not in it."""
    with connect(postgres.url, "backup") as connection:
        connection.execute("SELECT pg_backup_start('copy', fast => true)")
        # Files come and go below a server that runs; its log tells recovery what to do about it.
        shutil.copytree(postgres.folder, kept, ignore=shutil.ignore_patterns("postmaster.*", "pg_wal"))
        (label,) = connection.execute("SELECT labelfile FROM pg_backup_stop(wait_for_archive => false)").fetchone()
        (kept / "data" / "backup_label").write_text(label)
        shutil.copytree(postgres.folder / "data" / "pg_wal", kept / "data" / "pg_wal")


def test_a_fail_over_that_loses_the_last_commits_loses_no_creator_and_doubles_none(
    postgres, redis_url, provider, tmp_path
):
    settings = {"TRAWLER_SLOTS": "4", "TRAWLER_LEASE_SECONDS": "8"}
    with fleet_of(postgres.url, redis_url, provider, tmp_path, **settings) as fleet:
        # Given one job whose slice lasts, and others of which some are in slices that end soon and begin again
        provider.set_fault("gate", match={"query": "held"}, after=2, times=1)
        jobs = {"held": put_in(postgres, "held")}
        eventually(lambda: pages(postgres) == 2)
        provider.wait_for_gate()
        fleet.worker(TRAWLER_SLICE_PAGES="2")
        jobs |= {f"word {number}": put_in(postgres, f"word {number}") for number in range(JOBS)}
        eventually(lambda: pages(postgres) >= 8)
        # When a copy is made at this moment
        copy = tmp_path / "copy"
        copy_while_it_runs(postgres, copy)
        behind = pages(postgres)
        # And more pages come, also of the slice that lasts, and a job that the copy will never hear of
        provider.set_fault("gate", match={"query": "held"}, after=2, times=1)
        provider.open_gate()
        provider.wait_for_gate()
        lost_job = put_in(postgres, "lost")
        with connect(postgres.url, "test") as connection:
            eventually(lambda: stored_ids(connection, lost_job))
            eventually(lambda: pages(postgres) >= behind + 12)
            before = task(connection, jobs["held"])
        # And the server dies, and the copy takes its place
        postgres.kill()
        shutil.rmtree(postgres.folder)
        shutil.copytree(copy, postgres.folder)
        postgres.start()
        with connect(postgres.url, "test") as connection:
            (found,) = connection.execute("SELECT count(*) FROM worker.pages").fetchone()
            assert found < behind + 12, "the copy has lost nothing"
            # Then the slice that lasts has a lease that the copy knows, but pages that it does not
            assert task(connection, jobs["held"])["token"] == before["token"]
            eventually(lambda: pages(postgres) > found + 4)
            provider.clear_faults()
            # And the same processes complete every job, each creator is there once, and no attempt was spent
            eventually(lambda: all(is_final(connection, job_id) for job_id in jobs.values()))
            for word, job_id in jobs.items():
                assert job(connection, job_id)["status"] == "completed", job(connection, job_id)["error"]
                assert stored_ids(connection, job_id) == list(creators_of(SEED, word, ITEMS))
                assert_counters_are_true(connection, job_id)
                assert task(connection, job_id)["failures"] == 0
                assert not {"retry", "error"} & {outcome for outcome, _ in attempts(connection, job_id)}
            # And the job that was lost with its row has left nothing behind
            assert stored_ids(connection, lost_job) == []
        assert [process.poll() for process in fleet.processes] == [None] * 3
        assert "before this one" in fleet.log() or "fenced" in fleet.log()
        # And it did cost calls, or nothing was shown
        assert len(provider.calls(SEARCH_PATH)) > (JOBS + 1) * (1 + ITEMS // 30)
