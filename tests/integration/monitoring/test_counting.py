"""What moves which counter, shown with the engine's own statements."""

from datetime import timedelta
from uuid import uuid4

import pytest

from tests.integration.engine.steps import (
    LANE,
    OWNER,
    adopted_job,
    claim,
    claimed_job,
    lease_of,
    make_lanes,
    page_of,
    set_row,
    set_task,
)
from tests.jobs import task
from worker.broker import WakeUps, make_redis
from worker.claiming import claim as claim_a_lease
from worker.committing import commit
from worker.configuration import Configuration
from worker.configuration_keys import TRIAL_DAYS
from worker.errors import AuthorityLost
from worker.job_states import Decision, Ending
from worker.metrics import counting
from worker.metrics.families import REGISTRY
from worker.reconciler import Reconciler
from worker.settings import load_settings
from worker.settling import settle

SETTINGS = load_settings(_env_file=None)


def counted() -> dict[tuple[str, ...], float]:
    return {
        (sample.name.removeprefix("trawler_"), *sample.labels.values()): sample.value
        for family in REGISTRY.collect()
        for sample in family.samples
        if not sample.name.endswith(("_created", "_bucket", "_sum"))
    }


@pytest.fixture(autouse=True)
def _lanes(connection):
    make_lanes(connection)


@pytest.fixture
def moved():
    """What was counted since the test began, without the time that claims and commits took."""
    before = counted()

    def since() -> dict[tuple[str, ...], float]:
        return {key: value - before.get(key, 0) for key, value in counted().items() if value != before.get(key, 0)}

    return since


@pytest.fixture
def reconciler(database_url, redis_url):
    """Ticks it in this process; what a tick does, a process does."""
    with make_redis(redis_url) as client:
        yield Reconciler(database_url, WakeUps(client), load_settings(park_after_crashes=2), "reconciler-1", [LANE])


@pytest.mark.parametrize(
    ("decision", "expected"),
    [
        (Decision(Ending.COMPLETED, "target_reached"), ("jobs_total", LANE, "completed", "target_reached")),
        (Decision(Ending.ERROR, "bad_query", "x"), ("jobs_total", LANE, "error", "bad_query")),
        (Decision(Ending.TIMEOUT, "deadline", "x"), ("jobs_total", LANE, "timeout", "deadline")),
        (Decision(Ending.OUTSIDE, "row_changed"), ("jobs_total", LANE, "outside", "row_changed")),
        (Decision(Ending.WAIT, "rate_limited", "x", timedelta(minutes=5)), ("waits_total", LANE, "rate_limited")),
        (Decision(Ending.RETRY, "http_500", "x", timedelta(seconds=1)), ("retries_total", LANE, "http_500")),
        (Decision(Ending.LOST, "lease_not_renewed"), ("lease_losses_total", LANE, "lease_not_renewed")),
        (Decision(Ending.COMPLETED, "done", written=True), ("jobs_total", LANE, "completed", "done")),
        (Decision(Ending.CONTINUE, "slice_ended"), None),
    ],
    ids=lambda value: value.ending.value if isinstance(value, Decision) else "",
)
async def test_the_end_of_a_slice_is_counted_once(connection, pool, moved, decision, expected):
    _, claimed = await claimed_job(connection, pool)
    await settle(pool, lease_of(claimed), OWNER, decision)
    assert moved() == ({expected: 1} if expected else {})


async def test_a_settle_by_who_lost_the_lease_is_a_double_run_and_no_end(connection, pool, moved):
    _, claimed = await claimed_job(connection, pool)
    set_task(connection, claimed.id, f"token = '{uuid4()}'")
    await settle(pool, lease_of(claimed), OWNER, Decision(Ending.COMPLETED, "target_reached"))
    assert moved() == {("lease_losses_total", LANE, "fenced"): 1, ("double_runs_total", "settle"): 1}


async def test_a_page_by_who_lost_the_lease_is_a_double_run_and_no_page(connection, pool, moved):
    _, claimed = await claimed_job(connection, pool)
    set_task(connection, claimed.id, f"token = '{uuid4()}'")
    with pytest.raises(AuthorityLost):
        await commit(pool, lease_of(claimed), page_of(claimed))
    assert moved() == {("double_runs_total", "page"): 1}


async def test_a_page_whose_first_reply_was_lost_counts_as_it_was_stored(connection, pool, moved):
    _, claimed = await claimed_job(connection, pool)
    labels = {"platform": "TikTok", "provider": "p", "endpoint": "/e"}
    # Given a page of three items, one of them a creator that the job has, stored by a commit whose reply was lost
    page = page_of(claimed, keys=("a", "b"), items=3)
    await commit(pool, lease_of(claimed), page)
    # When it is committed again, and that reply comes
    answer = await commit(pool, lease_of(claimed), page)
    assert not answer.page_new
    counting.page_stored(*labels.values(), answer, items=3, fresh=2, unreadable=1)
    of_page = tuple(labels.values())
    assert moved() == {
        ("pages_total", *of_page): 1,
        ("creators_total", *of_page): 2,
        ("duplicates_total", *of_page): 1,
        ("unreadable_items_total", *of_page): 1,
        ("commit_duration_seconds_count",): 2,
    }


async def test_the_age_of_a_job_is_that_since_it_was_due(connection, pool, moved):
    job_id = adopted_job(connection)
    set_task(connection, task(connection, job_id)["id"], "run_at = clock_timestamp() - interval '50 s'")
    before = REGISTRY.get_sample_value("trawler_queue_age_seconds_sum", {"lane": LANE}) or 0
    (lease,) = await claim_a_lease(pool, SETTINGS, LANE, OWNER)
    after = REGISTRY.get_sample_value("trawler_queue_age_seconds_sum", {"lane": LANE})
    assert 50 <= after - before < 50 + 60
    # When it goes on at its old place, it has not waited since then
    await settle(pool, lease, OWNER, Decision(Ending.CONTINUE, "slice_ended"))
    assert await claim_a_lease(pool, SETTINGS, LANE, OWNER)
    assert await claim_a_lease(pool, SETTINGS, LANE, OWNER) == []
    assert moved() == {
        ("queue_age_seconds_count", LANE): 1,
        ("claims_total", LANE, "leased"): 2,
        ("claims_total", LANE, "empty"): 1,
        ("claim_duration_seconds_count",): 3,
    }


async def test_crashes_and_what_they_park_are_counted_by_the_sweep(connection, pool, moved, reconciler):
    _, claimed = await claimed_job(connection, pool)
    for _ in range(2):
        set_task(connection, claimed.id, "expires_at = clock_timestamp() - interval '1 s'")
        reconciler._next_slow = 0.0
        reconciler.tick(connection)
        await claim(pool)
    assert task(connection, claimed.job_id)["state"] == "parked"
    told = moved()
    assert told["crashes_total", LANE] == 2
    assert told["jobs_total", LANE, "parked", "poison"] == 1
    # And the tick in between has woken somebody
    assert told["wakeups_sent_total", LANE] == 1
    # And the process of ticks has told it
    reconciler._counters.flush(connection)
    assert connection.execute(
        "SELECT value FROM worker.metrics WHERE name = 'trawler_crashes_total' AND labels = %s",
        ('{"lane": "scrape.tiktok"}',),
    ).fetchone() == (2,)


async def test_a_deadline_that_passes_while_nobody_runs_the_job_is_counted_for_its_lane(
    connection, pool, moved, reconciler
):
    job_id = adopted_job(connection)
    set_row(connection, job_id, "timeout_at = worker.utc_now() - interval '1 s'")
    connection.execute("UPDATE worker.tasks SET deadline_at = clock_timestamp() - interval '1 s'")
    reconciler.tick(connection)
    assert task(connection, job_id)["end_reason"] == "deadline"
    assert moved() == {("jobs_total", LANE, "timeout", "deadline"): 1}


async def test_a_configuration_that_cannot_be_read_is_counted_once_a_value(connection, pool, moved):
    connection.execute(
        "INSERT INTO system_configurations (category, key, value, value_type, is_hot_reloadable)"
        " VALUES ('trial', 'days', 'many', 'number', 'true')"
    )
    configuration = Configuration(pool)
    assert await configuration.value(TRIAL_DAYS) == 7
    configuration._fresh_until = float("-inf")
    assert await configuration.value(TRIAL_DAYS) == 7
    assert moved() == {("configuration_errors_total", "value"): 1}
