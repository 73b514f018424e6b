"""A roll-out and its way back: the release before the newest migration and this one, on one database.

The old release is what the repository's own history says it is: the parent of the commit that added the newest
migration.
"""

import io
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from db.revision import VERSIONS, newest_revision
from db.session import connect
from platforms.simulator.catalogue import creators_of
from platforms.simulator.running import running_simulator
from tests.faults.outages import put_in
from tests.fleet import ROOT, Fleet, eventually
from tests.handlers import SETTINGS
from tests.jobs import (
    assert_counters_are_true,
    attempts,
    background_is_final,
    background_job,
    insert_background_job,
    is_final,
    job,
    stored_ids,
    task,
)

pytestmark = pytest.mark.slow

SEED = 1
ITEMS = 150
JOBS = 6
END_SECONDS = 15
SMALL_SLICES = {"TRAWLER_SLICE_PAGES": "2", "TRAWLER_SLOTS": "2"}


def git(*arguments: str) -> bytes:
    """What git says of this checkout; skips the test where it says nothing."""
    if shutil.which("git") is None:
        pytest.skip("git is not installed, so the old release cannot be had")
    # Git hooks and worktrees set variables that would name another repository.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    done = subprocess.run(["git", *arguments], cwd=ROOT, env=environment, capture_output=True, check=False)  # noqa: S607
    if done.returncode != 0:
        pytest.skip(f"git has no history of the old release: {done.stderr.decode(errors='replace').strip()}")
    return done.stdout


@pytest.fixture(scope="module")
def old_release(tmp_path_factory) -> Path:
    """The tree of the release before the newest migration."""
    (newest,) = VERSIONS.glob(f"{newest_revision()}_*.py")
    added = git("log", "--diff-filter=A", "--format=%H", "-1", "--", str(newest.relative_to(ROOT))).decode().strip()
    # A migration that is not committed yet is newer than all that is.
    archive = git("archive", "--format=tar", f"{added}^" if added else "HEAD")
    tree = tmp_path_factory.mktemp("old_release")
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        tar.extractall(tree, filter="data")
    assert not (tree / newest.relative_to(ROOT)).exists()
    return tree


@pytest.fixture(scope="module")
def provider():
    with running_simulator("--items-per-query", str(ITEMS), "--latency-ms", "30") as simulator:
        yield simulator


@pytest.fixture
def fleet(database_url, redis_url, provider, tmp_path):
    """Processes of both releases, on a database of the newest schema."""
    with Fleet(database_url, redis_url, provider.url, tmp_path, **SMALL_SLICES, **SETTINGS) as fleet:
        yield fleet


def start_migration(fleet: Fleet, tree: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "scripts.migrate"],
        env={**fleet.environment, "PYTHONPATH": str(tree)},
        cwd=fleet.logs,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def migrate(fleet: Fleet, tree: Path, meanwhile: Callable[[], object] = lambda: None) -> None:
    """Migrate with the release of this tree, and let something happen until that is done."""
    with start_migration(fleet, tree) as migration:
        while migration.poll() is None:
            meanwhile()
            time.sleep(0.01)
        assert migration.stderr
        assert migration.returncode == 0, migration.stderr.read()


def count(connection, what: str, *parameters: object) -> int:
    return connection.execute(f"SELECT count(*) FROM {what}".encode(), parameters).fetchone()[0]


def worker_ids(connection) -> set[str]:
    return {name for (name,) in connection.execute("SELECT id FROM worker.workers WHERE kind = 'worker'").fetchall()}


def assert_all_complete(connection, jobs: dict[str, str]) -> None:
    """Every creator of every job is stored once, and nothing was held against a job."""
    eventually(lambda: all(is_final(connection, job_id) for job_id in jobs.values()))
    for word, job_id in jobs.items():
        assert job(connection, job_id)["status"] == "completed", job(connection, job_id)["error"]
        assert stored_ids(connection, job_id) == list(creators_of(SEED, word, ITEMS))
        eventually(lambda job_id=job_id: task(connection, job_id)["state"] == "closed")
        assert (task(connection, job_id)["failures"], task(connection, job_id)["crashes"]) == (0, 0)
        assert {outcome for outcome, _ in attempts(connection, job_id)} <= {"continue", "completed"}
        assert_counters_are_true(connection, job_id)


def assert_no_complaint(fleet: Fleet) -> None:
    """No process of either release met anything that its people should look at."""
    lines = fleet.log().splitlines()
    assert lines
    bad = ('"level": "error"', '"level":"error"', '"level": "critical"', '"level":"critical"', "Traceback")
    assert [line for line in lines if any(word in line for word in bad)] == []


def end(*processes: subprocess.Popen[bytes]) -> None:
    for process in processes:
        process.send_signal(signal.SIGTERM)
    assert [process.wait(END_SECONDS) for process in processes] == [0] * len(processes)


def test_a_roll_out_under_load_loses_nothing_and_spends_no_attempt(
    empty_database, redis_url, provider, old_release, tmp_path
):
    with (
        Fleet(empty_database, redis_url, provider.url, tmp_path, **SMALL_SLICES, **SETTINGS) as fleet,
        connect(empty_database, "test") as connection,
    ):
        # Given the old release at work on a database of its own schema
        migrate(fleet, old_release)
        old = {"PYTHONPATH": str(old_release)}
        old_processes = (fleet.reconciler(**old), fleet.worker(**old))
        jobs = put_in(connection, "before", JOBS)
        eventually(lambda: count(connection, "worker.pages") >= 4)
        (old_worker,) = worker_ids(connection)

        def keep_busy() -> None:
            if count(connection, "scraping_jobs WHERE status = 'pending'") < JOBS:
                jobs.update(put_in(connection, f"during {len(jobs)}", JOBS))

        # When the new release migrates under it, which always has work
        migrate(fleet, ROOT, keep_busy)
        (migrated_at,) = connection.execute("SELECT clock_timestamp()").fetchone()
        # Then the old release works on
        by_old = "worker.attempts WHERE owner = %s AND ended_at > %s"
        eventually(lambda: count(connection, by_old, old_worker, migrated_at) > 0)
        # When processes of the new release start beside it, and more jobs come, of both tables
        fleet.reconciler()
        fleet.worker()
        (new_worker,) = eventually(lambda: worker_ids(connection) - {old_worker})
        jobs |= put_in(connection, "between", JOBS)
        background = [insert_background_job(connection, "echo", {"text": "hello"}) for _ in range(JOBS)]
        # Then both releases work
        (both_at,) = connection.execute("SELECT clock_timestamp()").fetchone()
        for owner in (old_worker, new_worker):
            eventually(lambda owner=owner: count(connection, by_old, owner, both_at) > 0)
        # When the old one ends. Its reconciler drops what the inbox says of background jobs, and its sweep closes their
        # tasks, because it knows no such rows; so they may wait for the new one's next sweep.
        end(*old_processes)
        jobs |= put_in(connection, "after", JOBS)
        # Then every job completes, and no log of either has an error
        assert_all_complete(connection, jobs)
        eventually(lambda: all(background_is_final(connection, job_id) for job_id in background))
        for job_id in background:
            row = background_job(connection, job_id)
            assert (row["status"], row["retry_count"], row["result"]["text"]) == ("completed", 0, "hello"), row
            assert attempts(connection, job_id) == [("completed", "done")]
        assert_no_complaint(fleet)


def test_a_roll_back_to_the_old_release_goes_on_with_the_newer_schema(fleet, connection, old_release):
    # Given the new release in the middle of some jobs
    new_processes = (fleet.reconciler(), fleet.worker())
    jobs = put_in(connection, "forward", JOBS)
    eventually(lambda: count(connection, "worker.pages") >= 4)
    # When it ends, and processes of the old release start on its schema
    end(*new_processes)
    assert not all(is_final(connection, job_id) for job_id in jobs.values())
    old = {"PYTHONPATH": str(old_release)}
    old_processes = (fleet.reconciler(**old), fleet.worker(**old))
    jobs |= put_in(connection, "back", JOBS)
    # Then they run, and every job completes at no cost
    assert_all_complete(connection, jobs)
    assert [process.poll() for process in old_processes] == [None, None]
    assert_no_complaint(fleet)


def test_a_job_type_that_only_the_new_release_knows_waits_for_it(fleet, connection, old_release):
    # Given a roll-out in its order: the reconciler is of the new release, the worker still of the old one
    fleet.reconciler()
    fleet.worker(PYTHONPATH=str(old_release), TRAWLER_HANDLERS="")
    eventually(lambda: count(connection, "worker.lanes WHERE lane = %s", "job.echo"))
    eventually(lambda: worker_ids(connection))
    # When a job of a new type comes, and the old worker has had every chance to look at it
    job_id = insert_background_job(connection, "echo", {"text": "new"})
    assert_all_complete(connection, put_in(connection, "old work", JOBS))
    eventually(lambda: count(connection, "worker.tasks WHERE job_id = %s AND lane = 'job.echo'", job_id))
    assert (background_job(connection, job_id)["status"], task(connection, job_id)["state"]) == ("pending", "ready")
    # Then its first worker does the job
    fleet.worker()
    eventually(lambda: background_is_final(connection, job_id))
    assert background_job(connection, job_id)["result"]["text"] == "new"
    assert attempts(connection, job_id) == [("completed", "done")]
    assert_no_complaint(fleet)
