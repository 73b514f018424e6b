"""Jobs through an outage, and what must be true of them after it."""

from platforms.simulator.catalogue import creators_of
from tests.faults.conftest import ITEMS
from tests.fleet import eventually
from tests.jobs import (
    assert_counters_are_true,
    attempts,
    insert_job,
    is_final,
    job,
    stored_ids,
    task,
)

SEED = 1
JOBS = 8
THIN = {"enrich": "none"}
SHORT = {"TRAWLER_LEASE_SECONDS": "2", "TRAWLER_BEAT_SECONDS": "0.5"}
LONG = {"TRAWLER_LEASE_SECONDS": "20", "TRAWLER_BEAT_SECONDS": "1"}
COMMIT = "INSERT INTO worker.pages"


def put_in(connection, name: str, count: int = JOBS, enrich: str = "none") -> dict[str, str]:
    """Jobs by word, of several tenants."""
    return {
        f"{name} {number}": insert_job(
            connection,
            user_id=f"user_{number % 3}",
            keywords=[f"{name} {number}"],
            target_results=10_000,
            search_params={"enrich": enrich},
        )
        for number in range(count)
    }


def pages(connection) -> int:
    (count,) = connection.execute("SELECT count(*) FROM worker.pages").fetchone()
    return count


def assert_complete(connection, jobs: dict[str, str], items: int = ITEMS) -> None:
    """Every creator of every job is stored once, and no error was held against a job."""
    eventually(lambda: all(is_final(connection, job_id) for job_id in jobs.values()))
    for word, job_id in jobs.items():
        assert job(connection, job_id)["status"] == "completed", job(connection, job_id)["error"]
        assert stored_ids(connection, job_id) == list(creators_of(SEED, word, items))
        assert_counters_are_true(connection, job_id)
        assert task(connection, job_id)["failures"] == 0
        assert not {"retry", "error"} & {outcome for outcome, _ in attempts(connection, job_id)}


def crashes(connection) -> list[int]:
    """How often each task was swept, for those that were."""
    return [
        count
        for (count,) in connection.execute(
            "SELECT count(*) FROM worker.attempts WHERE outcome = 'crashed' GROUP BY task_id"
        ).fetchall()
    ]


def signed_in(connection, kind: str) -> bool:
    """Whether a process of this kind does its work."""
    return connection.execute("SELECT count(*) FROM worker.workers WHERE kind = %s", (kind,)).fetchone() == (1,)


def done(connection, jobs: dict[str, str]) -> bool:
    return all(is_final(connection, job_id) for job_id in jobs.values())
