"""Jobs put in by Python services: in their transaction, once a key, with a wake-up."""

import psycopg
import pytest

from db.session import connect
from tests.integration.engine.steps import LANE, adopt, claim, in_thread, make_lanes, value, wait_until_blocked
from tests.jobs import job, task
from worker.broker import WakeUps, make_redis
from worker.enqueueing import enqueue_scraping_job, wake
from worker.lanes import UNROUTABLE

WANTED = {"user_id": "user_1", "platform": "Tiktok", "keywords": ["lamp", "desk lamp"], "target_results": 50}


def jobs(connection):
    return value(connection, "SELECT count(*) FROM scraping_jobs")


async def test_an_enqueued_job_is_a_row_with_a_task_that_can_be_claimed(connection, lanes, pool):
    enqueued = enqueue_scraping_job(connection, **WANTED, search_params={"enrich": "none"})
    row = job(connection, enqueued.job_id)
    assert (enqueued.lane, enqueued.created) == (LANE, True)
    assert (row["status"], row["keywords"], row["search_params"]) == (
        "pending",
        ["lamp", "desk lamp"],
        {"enrich": "none"},
    )
    assert (row["target_results"], row["region"], row["target_username"]) == (50, "US", None)
    # The trigger told of the row too; adoption makes no second task
    assert adopt(connection) == (1, [])
    assert [claimed.job_id for claimed in await claim(pool)] == [enqueued.job_id]


def test_an_unknown_platform_is_taken_and_goes_to_the_unroutable_lane(connection, lanes):
    enqueued = enqueue_scraping_job(connection, **{**WANTED, "platform": "MySpace"})
    assert (enqueued.lane, enqueued.created) == (None, True)
    adopt(connection)
    assert task(connection, enqueued.job_id)["lane"] == UNROUTABLE


def test_a_job_can_be_put_in_before_any_process_of_ours_ever_ran(connection):
    # Given a database just migrated, without a lane
    enqueued = enqueue_scraping_job(connection, **WANTED)
    # When the first reconciler makes them and adopts
    make_lanes(connection)
    adopt(connection)
    # Then the job goes where it belongs
    assert task(connection, enqueued.job_id)["lane"] == LANE


def test_a_transaction_that_rolls_back_leaves_no_job_and_no_key(connection, lanes):
    with connection.transaction(force_rollback=True):
        enqueue_scraping_job(connection, **WANTED, idempotency_key="order-1")
        assert jobs(connection) == 1
    assert jobs(connection) == 0
    assert value(connection, "SELECT count(*) FROM worker.tasks") == 0
    assert enqueue_scraping_job(connection, **WANTED, idempotency_key="order-1").created


@pytest.mark.parametrize("begun", [True, False], ids=["after another statement", "as its first statement"])
def test_a_connection_that_is_not_in_autocommit_decides_itself(connection, database_url, lanes, begun):
    # Given a service with psycopg's default, a transaction that begins by itself
    with connect(database_url, autocommit=False) as service:
        if begun:
            service.execute("SELECT 1")
        enqueue_scraping_job(service, **WANTED)
        # When it rolls back, then there is no job
        assert jobs(connection) == 0
        service.rollback()
        assert jobs(connection) == 0
        # And when it commits, there is
        enqueue_scraping_job(service, **WANTED)
        service.commit()
    assert jobs(connection) == 1


def test_a_key_gives_the_first_job_whatever_else_is_asked(connection, lanes):
    first = enqueue_scraping_job(connection, **WANTED, idempotency_key="order-1")
    second = enqueue_scraping_job(connection, **{**WANTED, "platform": "YouTube"}, idempotency_key="order-1")
    other = enqueue_scraping_job(connection, **WANTED, idempotency_key="order-2")
    assert (second.job_id, second.created) == (first.job_id, False)
    assert other.created
    assert other.job_id != first.job_id
    assert jobs(connection) == 2


def test_two_transactions_at_once_with_one_key_make_one_job(connection, database_url, lanes):
    # Given a transaction that has enqueued and not committed
    with connect(database_url, autocommit=False) as one, connect(database_url) as two:
        one.execute("SELECT 1")
        first = enqueue_scraping_job(one, **WANTED, idempotency_key="order-1")
        # When another asks with the same key, it waits, and gets the same job
        second = in_thread(lambda: enqueue_scraping_job(two, **WANTED, idempotency_key="order-1"))
        wait_until_blocked(connection)
        one.commit()
        answer = second.result(10)
    assert (answer.job_id, answer.created) == (first.job_id, False)
    assert jobs(connection) == 1


def test_the_second_of_two_transactions_makes_the_job_when_the_first_rolls_back(connection, database_url, lanes):
    with connect(database_url, autocommit=False) as one, connect(database_url) as two:
        one.execute("SELECT 1")
        first = enqueue_scraping_job(one, **WANTED, idempotency_key="order-1")
        second = in_thread(lambda: enqueue_scraping_job(two, **WANTED, idempotency_key="order-1"))
        wait_until_blocked(connection)
        one.rollback()
        answer = second.result(10)
    assert answer.created
    assert answer.job_id != first.job_id
    assert enqueue_scraping_job(connection, **WANTED, idempotency_key="order-1").job_id == answer.job_id


def test_a_row_that_postgres_refuses_leaves_the_caller_s_transaction_usable_and_the_key_free(connection, lanes):
    with connection.transaction():
        with pytest.raises(psycopg.errors.ForeignKeyViolation):
            enqueue_scraping_job(
                connection, **WANTED, campaign_id="00000000-0000-0000-0000-000000000001", idempotency_key="order-1"
            )
        assert enqueue_scraping_job(connection, **WANTED, idempotency_key="order-1").created
    assert jobs(connection) == 1


def test_one_wake_up_is_sent_for_a_new_job_and_none_for_a_known_one(connection, redis_url, lanes):
    with make_redis(redis_url) as client:
        wakeups = WakeUps(client)
        wake(wakeups, enqueue_scraping_job(connection, **WANTED, idempotency_key="order-1"))
        assert wakeups.queued(LANE) == 1
        wake(wakeups, enqueue_scraping_job(connection, **WANTED, idempotency_key="order-1"))
        assert wakeups.queued(LANE) == 1
