"""Creators are counted against the user's plan inside the page commit: each once, and never past the limit."""

import asyncio

import psycopg
import pytest

from db.queries import lanes
from db.queries.billing import begin_month
from db.queries.claiming import load_scraping_work
from db.queries.trials import begin_months
from db.session import connect, make_pool
from tests.fleet import eventually
from tests.integration.engine.steps import (
    adopt,
    claim,
    claimed_job,
    everything,
    in_loop,
    lease_of,
    page_of,
    set_row,
    set_task,
    value,
    wait_until_blocked,
)
from tests.integration.handlers.people import insert_user, part
from tests.jobs import assert_counters_are_true, insert_job, job, ledger, stored_ids
from worker.committing import commit
from worker.errors import AuthorityLost

pytestmark = pytest.mark.usefixtures("lanes")

AT_ONCE = 20
LIMIT = 137


def user(connection: psycopg.Connection, limit: int | None, used: int = 0, **changes: object) -> str:
    """User ``user_1``, whose month has begun unless the changes say otherwise."""
    values = {"plan_creators_limit": limit, "usage_creators_current_month": used, **changes}
    return insert_user(connection, user_usage=values)


def used(connection: psycopg.Connection) -> int:
    return int(part(connection, "user_usage")["usage_creators_current_month"])


@pytest.mark.parametrize(
    ("platform", "search"),
    [
        ("TikTok", {"keywords": ["lamp"]}),
        ("Instagram", {"keywords": ["#lamp"]}),
        ("YouTube", {"keywords": None, "target_username": "lamp"}),
    ],
)
async def test_what_is_stored_is_counted_whatever_the_platform_and_search(connection, pool, platform, search):
    user(connection, 100, 40)
    lanes.ensure_lanes(connection, [lanes.NewLane(f"scrape.{platform.lower()}", 10, 10)])
    insert_job(connection, platform=platform, **search)
    adopt(connection)
    (claimed,) = await claim(pool, lane=f"scrape.{platform.lower()}")
    answer = await commit(pool, lease_of(claimed), page_of(claimed, keys=["a", "b", "c"]))
    assert (answer.stored, answer.plan_left) == (3, 57)
    assert used(connection) == 43


async def test_a_page_is_cut_to_what_the_plan_has_left_and_its_rest_stays_reachable(connection, pool):
    # Given a plan with two creators left
    user(connection, 10, 8)
    job_id, claimed = await claimed_job(connection, pool)
    # When a page of four comes, one of them left out by a filter
    page = page_of(
        claimed,
        keys=["a", "b", "c", "d"],
        docs=['{"creator":{"id":"a"}}', None, '{"creator":{"id":"c"}}', '{"creator":{"id":"d"}}'],
    )
    answer = await commit(pool, lease_of(claimed), page)
    # Then two are stored and counted, and the place is still the page's own
    assert (answer.stored, answer.cut, answer.plan_left, answer.filtered) == (2, True, 0, 1)
    assert stored_ids(connection, job_id) == ["a", "c"]
    assert used(connection) == 10
    assert value(connection, "SELECT envelope FROM worker.checkpoints") == {"page": 1}
    assert_counters_are_true(connection, job_id)
    # And a larger plan stores the rest, which was not remembered as seen
    connection.execute("UPDATE user_usage SET plan_creators_limit = 100")
    answer = await commit(pool, lease_of(claimed), page_of(claimed, 2, ["a", "b", "c", "d"]))
    assert (answer.stored, answer.duplicates, answer.plan_left) == (1, 3, 89)
    assert used(connection) == 11


async def test_a_target_or_known_creators_cut_the_count_too(connection, pool):
    user(connection, 100)
    _, claimed = await claimed_job(connection, pool, target_results=3)
    lease = lease_of(claimed)
    await commit(pool, lease, page_of(claimed, 1, ["a", "b"]))
    answer = await commit(pool, lease, page_of(claimed, 2, ["a", "b", "c", "d"]))
    assert (answer.stored, answer.plan_left, used(connection)) == (1, 97, 3)


@pytest.mark.parametrize("times", [2, 5])
async def test_a_page_that_is_committed_again_is_counted_once(connection, pool, times):
    user(connection, 100)
    _, claimed = await claimed_job(connection, pool)
    lease = lease_of(claimed)
    for _ in range(times):
        answer = await commit(pool, lease, page_of(claimed))
        assert answer.plan_left == 98
    assert used(connection) == 2


async def test_two_tries_of_one_page_at_once_are_counted_once(connection, pool, database_url):
    # Given a first try that waits for the user's counter, and a second one behind it
    user(connection, 100)
    job_id, claimed = await claimed_job(connection, pool)

    async def once():
        async with make_pool(database_url, "test pool", 1) as own:
            return await commit(own, lease_of(claimed), page_of(claimed))

    with connect(database_url) as holder, holder.transaction():
        holder.execute("SELECT FROM user_usage FOR UPDATE")
        tries = [in_loop(once), in_loop(once)]
        wait_until_blocked(connection, 2)
    # Then one of them stored it, and the other knows
    answers = [one.result(20) for one in tries]
    assert sorted(answer.page_new for answer in answers) == [False, True]
    assert used(connection) == 2
    assert_counters_are_true(connection, job_id)


async def test_a_stale_holder_counts_nothing(connection, pool):
    user(connection, 100)
    _, zombie = await claimed_job(connection, pool)
    set_task(connection, zombie.id, "state = 'ready', token = NULL, expires_at = NULL, owner = NULL")
    await claim(pool)
    before = everything(connection)
    with pytest.raises(AuthorityLost):
        await commit(pool, lease_of(zombie), page_of(zombie))
    assert everything(connection) == before


async def test_a_commit_that_is_rolled_back_counts_nothing(connection, pool):
    user(connection, 100)
    _, claimed = await claimed_job(connection, pool)
    connection.execute("ALTER TABLE scraping_results ADD CHECK (false) NOT VALID")
    with pytest.raises(psycopg.errors.CheckViolation):
        await commit(pool, lease_of(claimed), page_of(claimed))
    assert used(connection) == 0


@pytest.mark.parametrize(
    ("usage", "subscription", "unplanned", "left"),
    [
        ({"plan_creators_limit": -1, "usage_creators_current_month": 7}, None, 0, None),
        ({"plan_creators_limit": 5, "usage_creators_current_month": 7}, None, -1, 0),
        ({"plan_creators_limit": None}, {"current_plan": "glow_up"}, -1, 1000),
        ({"plan_creators_limit": 3}, {"current_plan": "glow_up"}, -1, 3),
        ({"plan_creators_limit": None}, {"current_plan": "fame_flex"}, 0, None),
        ({"plan_creators_limit": None}, {"current_plan": "unheard_of"}, -1, None),
        ({"plan_creators_limit": None}, {"current_plan": "unheard_of"}, 0, 0),
        (None, None, -1, None),
        (None, None, 0, 0),
    ],
)
async def test_the_limit_is_the_users_own_then_the_plans_then_the_settings(
    connection, pool, usage, subscription, unplanned, left
):
    parts = {"user_usage": usage, "user_subscriptions": subscription}
    insert_user(connection, **{name: values for name, values in parts.items() if values is not None})
    job_id, claimed = await claimed_job(connection, pool)
    async with pool.connection() as own:
        work = await load_scraping_work(own, claimed.id, unplanned)
    assert work is not None
    assert work.plan_left == left
    answer = await commit(pool, lease_of(claimed), page_of(claimed, unplanned=unplanned))
    stored = 0 if left == 0 else 2
    assert (answer.stored, len(stored_ids(connection, job_id))) == (stored, stored)
    assert answer.plan_left == (None if left is None else left - stored)
    if usage is not None:
        assert used(connection) == usage.get("usage_creators_current_month", 0) + stored


async def test_a_job_of_somebody_who_is_no_user_is_not_limited(connection, pool):
    _, claimed = await claimed_job(connection, pool, user_id="nobody")
    answer = await commit(pool, lease_of(claimed), page_of(claimed))
    assert (answer.stored, answer.plan_left) == (2, None)


LAST_MONTH = {"usage_reset_date": "sql:date_trunc('month', now() AT TIME ZONE 'UTC') - interval '3 days'"}


async def test_the_first_page_of_a_month_begins_it_and_says_so_once(connection, pool):
    # Given a counter that last month used up
    user(connection, 10, 10, enrichments_current_month=4, **LAST_MONTH)
    _, claimed = await claimed_job(connection, pool)
    # When a page comes, and after it the job that resets
    answer = await commit(pool, lease_of(claimed), page_of(claimed))
    async with pool.connection() as own:
        begun = await begin_months(own, 10)
    # Then the page is counted in the new month, and the reset finds nothing to do
    assert (answer.stored, answer.plan_left, begun) == (2, 8, [])
    row = part(connection, "user_usage")
    assert (row["usage_creators_current_month"], row["enrichments_current_month"]) == (2, 0)
    assert value(connection, "SELECT usage_reset_date = date_trunc('month', now() AT TIME ZONE 'UTC') FROM user_usage")
    month = value(connection, "SELECT to_char(usage_reset_date, 'YYYY-MM') FROM user_usage")
    told = connection.execute(
        "SELECT idempotency_key, source_system, event_data FROM events WHERE event_type = 'usage_reset'"
    ).fetchall()
    assert told == [
        (
            f"system_automation_user_1_{month}_usage_reset",
            "system_automation",
            {"userId": "user_1", "month": month, "creatorsBefore": 10, "enrichmentsBefore": 4},
        )
    ]


@pytest.mark.parametrize("reset", ["begin_months", "begin_month"])
async def test_a_reset_that_is_under_way_is_waited_for_and_loses_no_count(connection, pool, database_url, reset):
    # Given a reset that has changed the counter and is not committed yet
    key = user(connection, 10, 10, **LAST_MONTH)
    _, claimed = await claimed_job(connection, pool)

    async def page():
        async with make_pool(database_url, "test pool", 1) as own:
            return await commit(own, lease_of(claimed), page_of(claimed))

    async with await psycopg.AsyncConnection.connect(database_url) as holder:
        if reset == "begin_months":
            assert len(await begin_months(holder, 10)) == 1
        else:
            (now,) = await (await holder.execute("SELECT worker.utc_now()")).fetchone()
            assert await begin_month(holder, key, now)
        # When a page is committed meanwhile
        waiting = in_loop(page)
        await asyncio.to_thread(wait_until_blocked, connection)
        await holder.commit()
    # Then it is counted on top of the reset, which is not done again
    answer = await asyncio.to_thread(waiting.result, 20)
    assert (answer.stored, answer.plan_left) == (2, 8)
    assert used(connection) == 2
    assert value(connection, "SELECT count(*) FROM events WHERE event_type = 'usage_reset'") == 0


async def test_a_counter_that_the_application_holds_for_long_costs_neither_page_nor_lease(
    connection, pool, database_url
):
    # Given an application that holds the user's row
    user(connection, 100)
    job_id, claimed = await claimed_job(connection, pool)

    async def page():
        async with make_pool(database_url, "test pool", 1) as own:
            return await commit(own, lease_of(claimed), page_of(claimed))

    with connect(database_url) as holder, holder.transaction():
        holder.execute("UPDATE user_usage SET usage_campaigns_current = 1")
        waiting = in_loop(page)
        first = await asyncio.to_thread(wait_until_blocked, connection)
        assert first
        # When it holds it past the bound: the try gives way, with its lock on the task, so that beats get through
        await asyncio.to_thread(eventually, lambda: not locked(connection, claimed.id))
        assert not waiting.done()
    # Then the page is stored once the row is free
    assert (await asyncio.to_thread(waiting.result, 20)).stored == 2
    assert used(connection) == 2
    assert_counters_are_true(connection, job_id)


def locked(connection: psycopg.Connection, task_id: int) -> bool:
    free = connection.execute("SELECT FROM worker.tasks WHERE id = %s FOR UPDATE SKIP LOCKED", (task_id,))
    return free.fetchone() is None


@pytest.mark.parametrize("limit", [LIMIT, -1])
def test_twenty_jobs_of_one_user_at_once_never_pass_the_limit_and_each_creator_is_counted(
    connection, database_url, limit
):
    # Given twenty jobs of one user, with more creators each than the plan gives to all, each on its own connection
    user(connection, limit)
    connection.execute("UPDATE worker.lanes SET max_per_tenant = 100")
    jobs = [insert_job(connection, target_results=1000) for _ in range(AT_ONCE)]
    adopt(connection)

    async def all_claims():
        async with make_pool(database_url, "test pool", 1) as own:
            return await claim(own, count=AT_ONCE)

    claims = asyncio.run(all_claims())
    assert len(claims) == AT_ONCE

    async def work(claimed):
        async with make_pool(database_url, "test pool", 1) as own:
            lease, given = lease_of(claimed), []
            for seq in range(1, 9):
                # A creator of its own and some that the page before had, so that pages differ in what they store.
                keys = [f"{n}" for n in range(seq * 2, seq * 2 + 4)]
                answer = await commit(own, lease, page_of(claimed, seq, keys))
                given.append(answer.stored)
                assert answer.plan_left is None or answer.plan_left >= 0
            return sum(given)

    # When all of them store pages at once
    running = [in_loop(lambda one=one: work(one)) for one in claims]
    given = sum(one.result(60) for one in running)
    # Then the plan gave all that it has and no more, and every counter is true
    stored = sum(len(stored_ids(connection, one)) for one in jobs)
    assert given == stored == used(connection) == (limit if limit > 0 else AT_ONCE * 18)
    for one in jobs:
        assert_counters_are_true(connection, one)
        assert len(ledger(connection, one)) == 8
        assert job(connection, one)["status"] == "processing"


async def test_a_row_that_the_application_ended_takes_nothing_of_the_plan(connection, pool):
    user(connection, 100)
    job_id, claimed = await claimed_job(connection, pool)
    set_row(connection, job_id, "status = 'cancelled'")
    assert not (await commit(pool, lease_of(claimed), page_of(claimed))).row_open
    assert used(connection) == 0
