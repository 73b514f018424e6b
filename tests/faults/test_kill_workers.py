"""Workers killed with -9 again and again, wake-ups thrown away: every job ends with every creator, once."""

import random
import statistics
import sys
import time
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest
import redis

from platforms.simulator.catalogue import creators_of
from platforms.simulator.running import running_simulator
from platforms.simulator.settings import SEARCH_PATH
from tests.fleet import eventually, fleet_of
from tests.jobs import assert_counters_are_true, attempts, insert_job, is_final, job, stored_ids, task

SEED = 1
ITEMS = 150
JOBS = 20
USERS = 5
WORKERS = 3
KILLS = 10
FLUSH_AFTER = (3, 7)
LEASE_SECONDS = 2


@dataclass(frozen=True)
class Loss:
    """What a killed worker held: the task and its epoch, and when it was killed by the database's clock."""

    task_id: int
    epoch: int
    at: Any


def pages(connection: psycopg.Connection) -> int:
    (count,) = connection.execute("SELECT count(*) FROM worker.pages").fetchone()
    return count


def losses(connection: psycopg.Connection, pid: int) -> list[Loss]:
    """The leases of a process that was just killed."""
    rows = connection.execute(
        "SELECT t.id, t.epoch, clock_timestamp() FROM worker.tasks t JOIN worker.workers w ON w.id = t.owner"
        " WHERE t.state = 'leased' AND w.pid = %s",
        (pid,),
    ).fetchall()
    return [Loss(*row) for row in rows]


TAKEN_BACK = "SELECT min(ended_at) FROM worker.attempts WHERE task_id = %s AND epoch >= %s AND outcome = 'crashed'"
CLAIMED_AGAIN = "SELECT min(started_at) FROM worker.attempts WHERE task_id = %s AND epoch > %s"
NEXT_PAGE = "SELECT min(written_at) FROM worker.pages WHERE task_id = %s AND epoch > %s"


def seconds_to(connection: psycopg.Connection, lost: list[Loss], moment: str) -> list[float]:
    """Seconds from each kill to a moment of each task that was lost by it, sorted."""
    moments = [(loss, connection.execute(moment, (loss.task_id, loss.epoch)).fetchone()[0]) for loss in lost]
    return sorted((at - loss.at).total_seconds() for loss, at in moments if at is not None)


class TestKillingWorkers:
    @pytest.mark.timeout(120)
    def test_loses_no_creator_doubles_none_and_spends_no_attempt(
        self, database_url, redis_url, connection, tmp_path, record_property
    ):
        # Given twenty jobs of five tenants and three workers
        seed = random.SystemRandom().randrange(1_000_000)
        tell(record_property, seed=seed)
        dice = random.Random(seed)  # noqa: S311 - the seed is told, so that a failing run can be looked into
        settings = {
            "TRAWLER_LEASE_SECONDS": str(LEASE_SECONDS),
            "TRAWLER_BEAT_SECONDS": "0.5",
            "TRAWLER_SLOTS": "3",
            "TRAWLER_SLICE_PAGES": "3",
        }
        started = time.monotonic()
        lost: list[Loss] = []
        words = {number: f"word {number}" for number in range(JOBS)}
        with (
            running_simulator("--items-per-query", str(ITEMS), "--latency-ms", "20") as simulator,
            fleet_of(database_url, redis_url, simulator, tmp_path, workers=WORKERS, **settings) as fleet,
            redis.Redis.from_url(redis_url) as client,
        ):
            workers = fleet.processes[1:]
            jobs = {
                words[number]: insert_job(
                    connection,
                    user_id=f"user_{number % USERS}",
                    keywords=[words[number]],
                    target_results=10_000,
                    search_params={"enrich": "inline" if number % 4 == 0 else "none"},
                )
                for number in range(JOBS)
            }
            everything = sum(1 + -(-ITEMS // 30) for _ in jobs)
            # When workers are killed at random points and started again, and Redis is emptied twice
            for kill in range(KILLS):
                point = int(everything * 0.85 * (kill + dice.random()) / KILLS)
                eventually(lambda point=point: pages(connection) >= point)
                time.sleep(dice.uniform(0, 0.1))  # a random place within a page is what is being tested
                place = dice.randrange(WORKERS)
                fleet.kill(workers[place])
                lost += losses(connection, workers[place].pid)
                workers[place] = fleet.worker()
                if kill in FLUSH_AFTER:
                    client.flushdb()
            eventually(lambda: all(is_final(connection, job_id) for job_id in jobs.values()), 90)
            calls = len(simulator.calls(SEARCH_PATH))
        # Then every job has every creator once, and nothing is held against it
        for word, job_id in jobs.items():
            assert job(connection, job_id)["status"] == "completed", job(connection, job_id)["error"]
            assert stored_ids(connection, job_id) == list(creators_of(SEED, word, ITEMS))
            assert_counters_are_true(connection, job_id)
            assert (task(connection, job_id)["failures"], task(connection, job_id)["end_reason"]) == (0, "exhausted")
            outcomes = {outcome for outcome, _ in attempts(connection, job_id)}
            assert outcomes <= {"crashed", "continue", "completed"}
        # And the kills did cost something, or nothing was shown
        (crashed,) = connection.execute("SELECT count(*) FROM worker.attempts WHERE outcome = 'crashed'").fetchone()
        assert crashed >= KILLS / 2
        taken_back = seconds_to(connection, lost, TAKEN_BACK)
        claimed_again = seconds_to(connection, lost, CLAIMED_AGAIN)
        next_page = seconds_to(connection, lost, NEXT_PAGE)
        tell(
            record_property,
            seconds=round(time.monotonic() - started, 1),
            pages=pages(connection),
            search_calls=calls,
            leases_lost=crashed,
            taken_back_after=summary(taken_back),
            claimed_again_after=summary(claimed_again),
            next_page_after=summary(next_page),
        )


def tell(record_property, **figures: object) -> None:
    """Put figures into the report, and on standard output for a run with ``-rP``."""
    for name, value in figures.items():
        record_property(name, value)
        sys.stdout.write(f"{name}: {value}\n")


def summary(seconds: list[float]) -> str:
    """Median and worst."""
    return f"median {statistics.median(seconds):.2f} s, worst {seconds[-1]:.2f} s" if seconds else "none"
