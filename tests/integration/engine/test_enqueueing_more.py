"""Background jobs and many jobs at once, put in by Python services."""

from datetime import UTC, datetime, timedelta

import pytest

from db.queries import enqueueing
from db.queries.enqueueing import NewScrapingJob
from tests.integration.engine.steps import JOB_LANE, LANE, adopt, make_lanes
from tests.jobs import task
from worker.enqueueing import enqueue_background_job, enqueue_scraping_jobs


@pytest.fixture(autouse=True)
def lanes(connection):
    make_lanes(connection)


def wanted(number: int) -> NewScrapingJob:
    return NewScrapingJob(f"user_{number}", "Tiktok", ["lamp", "Büro"], None, 100, "US", None, {"dedupe": "video"})


def test_many_jobs_are_rows_and_tasks_in_the_order_given(connection):
    ids = enqueue_scraping_jobs(connection, [wanted(number) for number in range(3)])
    rows = [
        connection.execute("SELECT user_id, keywords FROM scraping_jobs WHERE id = %s", (i,)).fetchone() for i in ids
    ]
    assert rows == [(f"user_{number}", ["lamp", "Büro"]) for number in range(3)]
    assert [task(connection, job_id)["lane"] for job_id in ids] == [LANE] * 3
    # And adoption, which the trigger told of them too, adds nothing
    assert adopt(connection) == (3, [])


def test_one_refused_row_of_many_leaves_none(connection):
    refused = NewScrapingJob("user_1", "Tiktok", ["lamp"], None, 100, "US", "not-a-uuid", None)
    with pytest.raises(Exception, match="uuid"):
        enqueue_scraping_jobs(connection, [wanted(1), refused])
    assert connection.execute("SELECT count(*) FROM scraping_jobs").fetchone() == (0,)


def test_a_background_job_is_a_row_and_a_task(connection):
    put_in = enqueue_background_job(connection, job_type="noop", payload={"userId": "u7"}, priority=5, max_retries=1)
    row = connection.execute("SELECT job_type, payload, priority, status FROM background_jobs").fetchone()
    assert row == ("noop", {"userId": "u7"}, 5, "pending")
    made = task(connection, put_in.job_id)
    assert (made["lane"], made["tenant"], made["priority"], made["max_failures"]) == (JOB_LANE, "u7", 5, 1)
    assert made["state"] == "ready"


def test_a_background_job_for_later_waits(connection):
    later = datetime.now(UTC) + timedelta(hours=1)
    put_in = enqueue_background_job(connection, job_type="noop", payload={}, scheduled_for=later)
    made = task(connection, put_in.job_id)
    assert (made["state"], made["wait_reason"], made["run_at"]) == ("waiting", "scheduled", later)


def test_a_time_without_a_zone_is_refused(connection):
    with pytest.raises(ValueError, match="without a time zone"):
        enqueue_background_job(connection, job_type="noop", payload={}, scheduled_for=datetime(2026, 1, 1))  # noqa: DTZ001


def test_the_same_key_gives_the_same_background_job(connection):
    first = enqueue_background_job(connection, job_type="noop", payload={}, idempotency_key="k")
    second = enqueue_background_job(connection, job_type="noop", payload={"other": 1}, idempotency_key="k")
    assert (second.job_id, second.created) == (first.job_id, False)
    assert connection.execute("SELECT count(*) FROM background_jobs").fetchone() == (1,)


def test_a_key_that_is_pruned_between_two_looks_is_taken_anew(connection, monkeypatch):
    # Given a key that names a job
    first = enqueue_background_job(connection, job_type="noop", payload={}, idempotency_key="k")
    look = enqueueing.job_of_key

    def pruned_before(on, key):
        # When it is pruned after it was found taken, and before it is read
        monkeypatch.setattr(enqueueing, "job_of_key", look)
        on.execute("DELETE FROM worker.enqueue_keys")
        return look(on, key)

    monkeypatch.setattr(enqueueing, "job_of_key", pruned_before)
    second = enqueue_background_job(connection, job_type="noop", payload={}, idempotency_key="k")
    # Then it is free, and the call makes a job, which it names from then on
    assert second.created
    assert second.job_id != first.job_id
    third = enqueue_background_job(connection, job_type="noop", payload={}, idempotency_key="k")
    assert (third.job_id, third.created) == (second.job_id, False)
