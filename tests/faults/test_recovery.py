"""How long a job stands still when its worker is killed with -9, and that it costs no creator.

Times are told, not asserted: they are those of the machine. docs/reliability.md has the figures and the command.
"""

import random
import time

import pytest

from platforms.simulator.catalogue import creators_of
from platforms.simulator.running import running_simulator
from tests.faults.test_kill_workers import (
    CLAIMED_AGAIN,
    NEXT_PAGE,
    TAKEN_BACK,
    Loss,
    losses,
    pages,
    seconds_to,
    summary,
    tell,
)
from tests.fleet import eventually, fleet_of
from tests.jobs import assert_counters_are_true, attempts, insert_job, is_final, job, stored_ids, task

pytestmark = pytest.mark.slow

SEED = 1
ITEMS = 300
JOBS = 8
WORKERS = 2


class TestRecovery:
    @pytest.mark.parametrize(
        ("lease_seconds", "kills"), [pytest.param(2, 8, id="lease of 2 s"), pytest.param(10, 3, id="lease of 10 s")]
    )
    def test_of_a_killed_worker_s_jobs_loses_no_creator_and_doubles_none(
        self, database_url, redis_url, connection, tmp_path, record_property, lease_seconds, kills
    ):
        seed = random.SystemRandom().randrange(1_000_000)
        dice = random.Random(seed)  # noqa: S311 - the seed is told, so that a failing run can be looked into
        settings = {
            "TRAWLER_LEASE_SECONDS": str(lease_seconds),
            "TRAWLER_BEAT_SECONDS": str(lease_seconds / 4),
            "TRAWLER_RECONCILE_SECONDS": "0.1",
            "TRAWLER_SLOTS": str(JOBS // WORKERS),
        }
        lost: list[Loss] = []
        jobs: dict[str, str] = {}
        with (
            running_simulator("--items-per-query", str(ITEMS), "--latency-ms", "100") as simulator,
            fleet_of(database_url, redis_url, simulator, tmp_path, workers=WORKERS, **settings) as fleet,
        ):
            workers = fleet.processes[1:]
            for kill in range(kills):
                # Given workers in the middle of some jobs
                before = pages(connection)
                words = [f"round {kill}, word {number}" for number in range(JOBS)]
                jobs |= {
                    word: insert_job(
                        connection, keywords=[word], target_results=10_000, search_params={"enrich": "none"}
                    )
                    for word in words
                }
                eventually(lambda before=before: pages(connection) >= before + 2 * JOBS)
                time.sleep(dice.uniform(0, 0.1))  # a random place within a page is what is being tested
                # When one is killed, and replaced by another
                place = dice.randrange(WORKERS)
                fleet.kill(workers[place])
                lost += losses(connection, workers[place].pid)
                workers[place] = fleet.worker()
                these = [jobs[word] for word in words]
                eventually(lambda these=these: all(is_final(connection, job_id) for job_id in these))
        # Then every job has every creator once, and nothing is held against it
        missing = doubled = creators = 0
        for word, job_id in jobs.items():
            assert job(connection, job_id)["status"] == "completed", job(connection, job_id)["error"]
            assert_counters_are_true(connection, job_id)
            assert task(connection, job_id)["failures"] == 0
            assert {outcome for outcome, _ in attempts(connection, job_id)} <= {"crashed", "continue", "completed"}
            there, wanted = stored_ids(connection, job_id), set(creators_of(SEED, word, ITEMS))
            creators += len(wanted)
            missing += len(wanted - set(there))
            doubled += len(there) - len(set(there))
        assert (missing, doubled) == (0, 0)
        # And every kill lost some leases, or nothing was shown
        assert len(lost) >= kills
        tell(
            record_property,
            seed=seed,
            lease_seconds=lease_seconds,
            kills=kills,
            leases_lost=len(lost),
            taken_back_after=summary(seconds_to(connection, lost, TAKEN_BACK)),
            claimed_again_after=summary(seconds_to(connection, lost, CLAIMED_AGAIN)),
            next_page_after=summary(seconds_to(connection, lost, NEXT_PAGE)),
            jobs=len(jobs),
            creators=creators,
            lost_creators=missing,
            doubled_creators=doubled,
        )
