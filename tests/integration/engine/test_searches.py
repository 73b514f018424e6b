"""Searches in the engine: adopted, started, paged, ended and swept as scraping jobs are, into their own tables."""

import json
from datetime import timedelta
from uuid import UUID, uuid4

import psycopg
import pytest

from actors.replaying import replay_job
from db.queries import adopting, cancelling, pruning, searching
from db.queries.committing import commit_page
from db.queries.lanes import NewLane, ensure_lanes
from db.queries.overdue import sweep_overdue
from db.queries.quarantining import Choice
from db.queries.sweeping import close_foreign, sweep_dead_leases
from db.session import connect
from tests.conformance.kits.scrapecreators_tiktok import KEYWORD
from tests.integration.engine.steps import OWNER, attempts, claim, lease_of, page_of, set_task, value
from tests.jobs import retry_jobs, task
from tests.searches import (
    ask,
    assert_search_is_true,
    events_of,
    insert_campaign,
    insert_search,
    key_of,
    results,
    search,
)
from worker.enqueueing import enqueue_search
from worker.job_states import Decision, Ending
from worker.lanes import UNROUTABLE_SEARCH, search_lane
from worker.settling import settle

LANE = search_lane("tiktok")
EXPIRED = "expires_at = clock_timestamp() - interval '1 s'"
CLOSED = "state = 'closed', closed_at = clock_timestamp(), token = NULL, owner = NULL, expires_at = NULL"


@pytest.fixture(autouse=True)
def _lanes(connection):
    ensure_lanes(connection, [NewLane(name, 100, 100) for name in (LANE, UNROUTABLE_SEARCH)])


def adopt(connection):
    return adopting.adopt_from_inbox(connection, "search_jobs", 100)[1]


async def started(connection, pool, name="s", **columns):
    """A search that a worker has just leased."""
    key = insert_search(connection, name, **columns)
    adopt(connection)
    (claimed,) = await claim(pool, lane=LANE)
    assert claimed.job_id == key
    return claimed


async def page(pool, claimed, **changes):
    async with pool.connection() as own:
        return await commit_page(own, page_of(claimed, **changes))


@pytest.mark.parametrize("name", ["0f8fad5b-d9cb-469f-a165-70867728950e", "a b/c", "ü" * 500, "A" * 36])
def test_any_id_has_one_uuid_that_no_job_of_another_table_has(connection, name):
    key = insert_search(connection, name)
    assert adopt(connection) == [LANE]
    assert task(connection, key)["state"] == "ready"
    assert key == str(UUID(key)) == key_of(connection, name) != name
    # And the next is another
    assert insert_search(connection, name + "x") != key


def test_rows_that_no_trigger_told_of_are_found_by_the_sweep(connection):
    connection.execute("DROP TRIGGER trawler_inserted ON search_jobs")
    insert_search(connection, "s", platform=" tiktok ")
    insert_search(connection, "not yet", status="draft")
    assert adopt(connection) == []
    assert adopting.adopt_missed(connection, "search_jobs", 100) == [LANE]
    assert adopting.adopt_missed(connection, "search_jobs", 100) == []
    # And the trigger is put back
    assert adopting.ensure_triggers(connection) == ["search_jobs.trawler_inserted"]


def test_a_platform_that_nobody_serves_goes_where_a_worker_says_so(connection):
    insert_search(connection, "s", platform="myspace")
    assert adopt(connection) == [UNROUTABLE_SEARCH]


async def test_a_search_s_tenant_is_its_campaign_s_user_or_whom_it_is_for(connection, pool):
    campaign = insert_campaign(connection, "user_c")
    insert_search(connection, "of a campaign", campaign_id=campaign)
    ask(connection, "of a user", user_id="user_u", keywords=["a"])
    insert_search(connection, "of a user", campaign_id=campaign)
    insert_search(connection, "of nobody")
    adopt(connection)
    tenants = {one.job_id: one.tenant for one in await claim(pool, count=3, lane=LANE)}
    assert tenants == {
        key_of(connection, "of a campaign"): "user_c",
        key_of(connection, "of a user"): "user_u",
        key_of(connection, "of nobody"): "-",
    }


@pytest.mark.parametrize("status", ["processing", "completed", "dispatching"])
async def test_a_row_that_somebody_else_started_or_ended_is_not_run(connection, pool, status):
    key = insert_search(connection, "s")
    adopt(connection)
    connection.execute("UPDATE search_jobs SET status = %s", (status,))
    assert await claim(pool, lane=LANE) == []
    assert search(connection, "s")["status"] == status
    assert task(connection, key)["end_reason"] == "outside"


async def test_a_profile_is_a_row_once_however_often_a_page_is_committed(connection, pool):
    claimed = await started(connection, pool)
    assert (await page(pool, claimed, keys=("a", "b"))).stored == 2
    repeated = await page(pool, claimed, keys=("a", "b"))
    assert (repeated.page_new, repeated.stored_before) == (False, 2)
    assert (await page(pool, claimed, seq=2, keys=("b", "c"))).stored == 1
    assert [one["profile_id"] for one in results(connection, "s")] == ["a", "b", "c"]
    assert_search_is_true(connection, "s")


async def test_no_more_rows_than_wanted(connection, pool):
    claimed = await started(connection, pool, total_count=3)
    answer = await page(pool, claimed, keys=("a", "b", "c", "d"))
    assert (answer.stored, answer.cut, answer.target_results) == (3, True, 3)
    assert search(connection, "s")["completed_count"] == 3


async def test_a_stale_token_writes_nothing(connection, pool):
    claimed = await started(connection, pool)
    answer = await page(pool, claimed, token=uuid4())
    assert not answer.owned
    assert results(connection, "s") == []


async def test_what_is_unknown_is_null_and_what_is_too_large_is_cut(connection, pool):
    claimed = await started(connection, pool)
    huge = '{"creator": {"id": "h", "uniqueId": "huge", "followers": 99999999999}, "platform": "TikTok"}'
    unknown = (
        '{"creator": {"id": "u", "followers": 0}, "platform": "YouTube", '
        '"provenance": {"unknown": ["creator.followers"]}}'
    )
    await page(pool, claimed, keys=("h", "u"), docs=[huge, unknown])
    first, second = results(connection, "s")
    assert (first["followers"], first["profile_url"]) == (2_147_483_647, "https://www.tiktok.com/@huge")
    assert (second["followers"], second["username"]) == (None, "u")
    assert second["profile_url"] == "https://www.youtube.com/channel/u"
    assert (first["is_verified"], first["email"], first["bio"]) == ("false", None, None)


async def test_a_forgotten_task_remembers_what_is_stored(connection, pool):
    # Given a search whose record the engine lost
    claimed = await started(connection, pool)
    await page(pool, claimed, keys=("a", "b"))
    connection.execute("DELETE FROM worker.tasks")
    connection.execute("UPDATE search_jobs SET status = 'queued'")
    adopt(connection)
    (again,) = await claim(pool, lane=LANE)
    # When it starts at its first page again, then nobody is stored twice
    async with pool.connection() as own:
        known = await own.execute("SELECT key FROM worker.seen_creators WHERE task_id = %s ORDER BY key", (again.id,))
        assert await known.fetchall() == [("a",), ("b",)]
    assert (await page(pool, again, keys=("a", "b", "c"))).stored == 1


@pytest.mark.parametrize(
    ("ending", "status", "event"),
    [
        (Ending.COMPLETED, "completed", "job_completed"),
        (Ending.ERROR, "error", "job_failed"),
        (Ending.TIMEOUT, "timeout", "job_timeout"),
    ],
)
async def test_an_end_is_written_into_the_row_and_told(connection, pool, ending, status, event):
    claimed = await started(connection, pool)
    await settle(pool, lease_of(claimed), OWNER, Decision(ending, "because", "in words"))
    row = search(connection, "s")
    assert (row["status"], row["completed_at"] is not None) == (status, True)
    assert task(connection, claimed.job_id)["state"] == "closed"
    kind, told = events_of(connection, "s")[-1]
    assert (kind, told["reason"], told["error"]) == (event, "because", "in words")


@pytest.mark.parametrize("ending", [Ending.WAIT, Ending.RETRY, Ending.CONTINUE])
async def test_between_slices_the_row_stays_processing(connection, pool, ending):
    claimed = await started(connection, pool)
    await settle(pool, lease_of(claimed), OWNER, Decision(ending, "because"))
    assert search(connection, "s")["status"] == "processing"
    # And nobody else is told of a second start
    set_task(connection, claimed.id, "state = 'ready', run_at = clock_timestamp(), wait_reason = NULL")
    assert await claim(pool, lane=LANE)
    assert [kind for kind, _ in events_of(connection, "s")] == ["job_started"]


async def test_a_row_that_the_application_ended_keeps_its_word(connection, pool):
    claimed = await started(connection, pool)
    connection.execute("UPDATE search_jobs SET status = 'error'")
    assert not (await page(pool, claimed)).row_open
    await settle(pool, lease_of(claimed), OWNER, Decision(Ending.COMPLETED, "done"))
    assert search(connection, "s")["status"] == "error"
    # And one that nobody runs is closed by the sweep, a living one is not
    insert_search(connection, "other")
    living = insert_search(connection, "living")
    adopt(connection)
    connection.execute("DELETE FROM search_jobs WHERE id = 'other'")
    assert close_foreign(connection, 100) == 1
    assert task(connection, living)["state"] == "ready"


async def test_a_task_that_kills_its_workers_is_parked_and_its_row_given_up(connection, pool):
    claimed = await started(connection, pool)
    set_task(connection, claimed.id, f"crashes = 2, {EXPIRED}")
    # While the application holds the row, it is left for the next sweep
    with connect(connection.info.dsn + f" password={connection.info.password}", "test") as holder, holder.transaction():
        holder.execute("SELECT FROM search_jobs FOR UPDATE")
        assert sweep_dead_leases(connection, 3, 100) == []
    (dead,) = sweep_dead_leases(connection, 3, 100)
    assert dead.state == "parked"
    assert search(connection, "s")["status"] == "error"
    assert events_of(connection, "s")[-1][1]["reason"] == "poison"
    # And a retry lets it go on
    assert retry_jobs(connection, [claimed.job_id]) == {claimed.job_id}
    assert search(connection, "s")["status"] == "queued"
    assert adopt(connection) == [LANE]


async def test_a_search_has_a_deadline_of_its_task_s_and_times_out_once(connection, pool):
    claimed = await started(connection, pool)
    assert task(connection, claimed.job_id)["deadline_at"] is not None
    await settle(pool, lease_of(claimed), OWNER, Decision(Ending.WAIT, "quota", delay=timedelta(hours=9)))
    assert sweep_overdue(connection, 100) == []
    set_task(connection, claimed.id, "deadline_at = clock_timestamp() - interval '1 s'")
    assert sweep_overdue(connection, 100) == [claimed.job_id]
    assert sweep_overdue(connection, 100) == []
    assert search(connection, "s")["status"] == "timeout"
    assert [outcome for outcome, _, _ in attempts(connection, claimed.id)] == ["wait", "timeout"]
    assert [kind for kind, _ in events_of(connection, "s")] == ["job_started", "job_timeout"]


def test_what_nobody_runs_is_cancelled_at_once_adopted_or_not(connection):
    adopted = insert_search(connection, "adopted")
    adopt(connection)
    raw = insert_search(connection, "raw")
    assert cancelling.cancel(connection, adopted, "wrong") == "ready"
    assert cancelling.cancel(connection, raw, "wrong") == "pending"
    assert cancelling.cancel(connection, raw, "wrong") is None
    for name in ("adopted", "raw"):
        assert search(connection, name)["status"] == "error"
        (kind, told) = events_of(connection, name)[-1]
        assert (kind, told["error"]) == ("job_failed", "cancelled: wrong")


async def test_the_plan_of_the_campaign_s_user_holds_for_searches_too(connection, pool):
    connection.execute("INSERT INTO users (user_id) VALUES ('user_c')")
    connection.execute(
        "INSERT INTO user_usage (user_id, plan_creators_limit, usage_creators_current_month, usage_reset_date)"
        " SELECT id, 3, 0, date_trunc('month', worker.utc_now()) FROM users"
    )
    claimed = await started(connection, pool, campaign_id=insert_campaign(connection, "user_c"))
    answer = await page(pool, claimed, keys=("a", "b", "c", "d", "e"))
    assert (answer.stored, answer.cut, answer.plan_left) == (3, True, 0)
    assert value(connection, "SELECT usage_creators_current_month FROM user_usage") == 3
    await settle(pool, lease_of(claimed), OWNER, Decision(Ending.COMPLETED, "plan_limit"))
    assert [kind for kind, _ in events_of(connection, "s")] == ["job_started", "job_completed", "plan_limit_reached"]


async def test_quarantined_items_are_stored_as_rows_once_they_can_be_read(connection, pool):
    claimed = await started(connection, pool, total_count=3)
    ask_again = """UPDATE worker.searches SET keywords = '["lamp"]', search_params = '{"enrich": "none"}'"""
    connection.execute(ask_again.encode())
    raws = [json.dumps(KEYWORD.item(number)) for number in (1, 2)]
    await page(
        pool,
        claimed,
        provider="scrapecreators",
        endpoint="tiktok/search/keyword",
        unreadable=2,
        bad_reasons=["wrong_item_shape"] * 2,
        bad_messages=["odd"] * 2,
        bad_raws=raws,
        bad_cuts=[False] * 2,
        walk='{"word": "lamp", "cursor": 0, "source": "search"}',
    )
    assert events_of(connection, "s")[-1][0] == "items_quarantined"
    set_task(connection, claimed.id, CLOSED)
    told = replay_job(connection, claimed.id, "s", Choice(), dry_run=False)
    assert told.verdicts == {"stored": 1, "over_target": 1}
    assert [one["profile_id"] for one in results(connection, "s")][2:] == [KEYWORD.creator(1)["creator"]["id"]]
    assert_search_is_true(connection, "s")


def test_enqueue_puts_in_row_and_question_once(connection):
    first = enqueue_search(connection, search_id="s", platform="YouTube", total_count=5, target_username="@a")
    again = enqueue_search(connection, search_id="s", platform="TikTok", total_count=9, keywords=["b"])
    assert (first.created, first.lane, again.created) == (True, "search.youtube", False)
    row = search(connection, "s")
    assert (row["platform"], row["search_type"], row["total_count"]) == ("YouTube", "similar", 5)
    assert value(connection, "SELECT target_username FROM worker.searches") == "@a"


def test_a_refused_search_leaves_the_caller_s_transaction_usable(connection):
    with connection.transaction():
        with pytest.raises(psycopg.errors.StringDataRightTruncation):
            enqueue_search(connection, search_id="s", platform="x" * 30, total_count=5, keywords=["b"])
        enqueue_search(connection, search_id="t", platform="TikTok", total_count=5, keywords=["b"])
    assert search(connection, "t")["status"] == "queued"
    assert value(connection, "SELECT count(*) FROM worker.searches") == 1


def test_what_a_search_asked_for_goes_when_its_row_and_task_are_gone(connection):
    for name in ("kept", "deleted"):
        insert_search(connection, name)
    connection.execute("UPDATE worker.searches SET created_at = now() - interval '9 d'")
    ask(connection, "early", keywords=["a"])
    connection.execute("DELETE FROM search_jobs WHERE id = 'deleted'")
    assert pruning.delete_searches(connection, timedelta(days=7), 10) == 1
    left = connection.execute("SELECT job_id FROM worker.searches ORDER BY 1").fetchall()
    assert left == [("early",), ("kept",)]


async def test_a_search_is_loaded_under_a_scraping_job_s_names(connection, pool):
    ask(connection, "s", keywords=["a"], target_username="@x", search_params={"dedupe": "video", "enrich": "none"})
    claimed = await started(connection, pool, search_type="instagram_similar", total_count=7)
    async with pool.connection() as own:
        work = await searching.load_search_work(own, claimed.id)
    assert (work.keywords, work.target_username, work.target_results) == (None, "@x", 7)
    # A profile is stored once, whatever is asked.
    assert work.search_params == {"dedupe": "creator", "enrich": "none"}
