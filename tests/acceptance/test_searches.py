"""Searches: rows of ``search_jobs`` are worked by the same engine, and get a row a creator."""

import pytest

from platforms.simulator.running import running_simulator
from tests.fleet import eventually, every_provider, fleet_of
from tests.jobs import assert_counters_are_true, attempts, insert_job, is_final, state
from tests.searches import (
    ask,
    assert_search_is_true,
    events_of,
    insert_campaign,
    insert_search,
    key_of,
    results,
    search,
    search_is_final,
)

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def simulator():
    with running_simulator("--items-per-query", "200") as running:
        yield running


@pytest.fixture
def fleet(database_url, redis_url, simulator, tmp_path):
    simulator.clear_faults()
    settings = {"TRAWLER_RETRY_BASE_SECONDS": "0.1", "TRAWLER_RETRY_CAP_SECONDS": "0.2"}
    with fleet_of(
        database_url, redis_url, simulator, tmp_path, 2, **every_provider(simulator.url), **settings
    ) as running:
        yield running


def test_a_queued_row_gets_a_row_a_creator(fleet, connection):
    campaign = insert_campaign(connection)
    ask(connection, "a search, by name", keywords=["desk lamp"])
    key = insert_search(connection, "a search, by name", campaign_id=campaign, total_count=70)
    eventually(lambda: search_is_final(connection, "a search, by name"))
    row, rows = search(connection, "a search, by name"), results(connection, "a search, by name")
    assert (row["status"], row["completed_count"], row["total_count"]) == ("completed", 70, 70)
    assert row["completed_at"] is not None
    assert_search_is_true(connection, "a search, by name")
    assert attempts(connection, key)[-1] == ("completed", "target_reached")
    # And each row says what the creator's document says
    for one in rows:
        document = one["raw_data"]
        assert one["profile_id"] == document["creator"]["id"]
        assert one["username"] == document["creator"]["uniqueId"]
        assert one["display_name"] == document["creator"]["name"]
        assert one["followers"] == document["creator"]["followers"]
        assert one["bio"] == (document["creator"]["bio"] or None)
        assert one["email"] == (document["creator"]["emails"] or [None])[0]
        assert one["is_verified"] == str(document["creator"]["verified"]).lower()
        assert one["profile_url"] == f"https://www.tiktok.com/@{one['username']}"
        assert one["post_url"] == document["video"]["url"]
        assert one["platform"] == "TikTok"
    # And the application is told
    kinds = [kind for kind, _ in events_of(connection, "a search, by name")]
    assert kinds == ["job_started", "job_completed"]
    told = events_of(connection, "a search, by name")[-1][1]
    assert (told["userId"], told["campaignId"], told["creators"]) == ("user_1", campaign, 70)


@pytest.mark.parametrize(
    ("platform", "target"), [("Instagram", None), ("YouTube", None), ("youtube", "@dune_8lc0lesact7")]
)
def test_every_platform_is_searched(fleet, connection, platform, target):
    question = {"target_username": target} if target else {"keywords": ["lamp"]}
    ask(connection, "s", **question)
    insert_search(connection, "s", platform=platform, search_type="similar" if target else "keyword", total_count=30)
    eventually(lambda: search_is_final(connection, "s"))
    assert search(connection, "s")["status"] == "completed"
    assert_search_is_true(connection, "s")
    assert results(connection, "s")
    assert all(one["profile_url"].startswith("https://www.") for one in results(connection, "s"))


def test_a_search_that_says_nothing_asks_for_what_its_campaign_s_newest_job_does(fleet, connection):
    campaign = insert_campaign(connection)
    insert_job(connection, campaign_id=campaign, keywords=["old"], status="completed", created_at="2026-01-01")
    insert_job(connection, campaign_id=campaign, keywords=["chairs"], status="completed", created_at="2026-02-01")
    insert_job(connection, campaign_id=campaign, platform="YouTube", keywords=["no"], status="completed")
    insert_search(connection, "s", campaign_id=campaign, total_count=10)
    eventually(lambda: search_is_final(connection, "s"))
    assert search(connection, "s")["status"] == "completed"
    assert {word for (word,) in connection.execute("SELECT DISTINCT word FROM worker.pages")} == {"chairs"}


def test_a_search_of_which_nobody_says_what_it_asks_for_says_so_and_goes_on_when_somebody_does(fleet, connection):
    key = insert_search(connection, "s")
    eventually(lambda: search_is_final(connection, "s"))
    assert search(connection, "s")["status"] == "error"
    told = events_of(connection, "s")[-1]
    assert told[0] == "job_failed"
    assert "worker.searches has neither keywords" in told[1]["error"]
    assert "worker.searches has neither keywords" in fleet.ops("explain", "search:s").stdout.replace("\n", " ")
    assert "worker.searches" in fleet.ops("list", "--table", "search_jobs", "--json").stdout
    # When somebody does, and it is retried
    connection.execute("""UPDATE worker.searches SET keywords = '["lamp"]' WHERE job_id = 's'""")
    assert fleet.ops("retry", "search:s").returncode == 0
    eventually(lambda: search(connection, "s")["status"] == "completed")
    assert_search_is_true(connection, "s")
    shown = fleet.ops("show", "search:s")
    assert key in shown.stdout or "completed" in shown.stdout


@pytest.mark.parametrize(
    ("columns", "question", "words"),
    [
        ({"total_count": 0}, {"keywords": ["a"]}, ["total_count is 0", "to queued"]),
        ({"platform": "MySpace"}, {"keywords": ["a"]}, ['platform is "MySpace"', "to queued"]),
        ({}, {"keywords": {"a": 1}}, ["keywords is", "array of strings"]),
        ({}, {"keywords": ["a"], "search_params": ["odd"]}, ["search_params", "object"]),
    ],
)
def test_what_cannot_be_searched_says_so_in_the_words_of_its_own_table(fleet, connection, columns, question, words):
    ask(connection, "s", **question)
    insert_search(connection, "s", **columns)
    eventually(lambda: search_is_final(connection, "s"))
    told = events_of(connection, "s")[-1][1]["error"]
    assert [word for word in words if word not in told] == [], told


def test_a_killed_worker_costs_a_search_nothing(fleet, connection, simulator):
    # Given a search in its third page
    simulator.set_fault("gate", "/v1/tiktok/search/keyword", after=2, times=1)
    ask(connection, "s", keywords=["lamp"], search_params={"enrich": "none"})
    key = insert_search(connection, "s", total_count=100)
    simulator.wait_for_gate(timeout_seconds=30)
    assert search(connection, "s")["completed_count"] > 0
    # When every worker dies
    for worker in fleet.processes[1:]:
        fleet.kill(worker)
    simulator.open_gate()
    fleet.worker()
    # Then it goes on there
    eventually(lambda: search_is_final(connection, "s"))
    assert ("crashed", "lease_expired") in attempts(connection, key)
    assert search(connection, "s")["status"] == "completed"
    assert_search_is_true(connection, "s")


def test_a_search_is_cancelled_at_its_next_page_and_keeps_what_it_has(fleet, connection, simulator):
    simulator.set_fault("gate", "/v1/tiktok/search/keyword", after=1, times=1)
    ask(connection, "s", keywords=["lamp"], search_params={"enrich": "none"})
    insert_search(connection, "s")
    simulator.wait_for_gate(timeout_seconds=30)
    asked = fleet.ops("cancel", "search:s", "--reason", "wrong word")
    assert "asked to stop" in asked.stdout
    simulator.open_gate()
    eventually(lambda: search_is_final(connection, "s"))
    assert search(connection, "s")["status"] == "error"
    assert_search_is_true(connection, "s")
    assert results(connection, "s")
    assert events_of(connection, "s")[-1][1]["reason"] == "cancelled"


def test_the_row_that_the_application_ended_or_deleted_is_left_alone(fleet, connection, simulator):
    for name in ("ended", "deleted"):
        ask(connection, name, keywords=[name], search_params={"enrich": "none"})
    simulator.set_fault("gate", "/v1/tiktok/search/keyword", times=2)
    keys = [insert_search(connection, name) for name in ("ended", "deleted")]
    eventually(lambda: all(state(connection, key) == "leased" for key in keys))
    simulator.wait_for_gate(timeout_seconds=30)
    connection.execute("UPDATE search_jobs SET status = 'timeout' WHERE id = 'ended'")
    connection.execute("DELETE FROM search_jobs WHERE id = 'deleted'")
    simulator.open_gate()
    eventually(lambda: all(state(connection, key) == "closed" for key in keys))
    assert search(connection, "ended")["status"] == "timeout"
    assert results(connection, "ended") == []
    assert key_of(connection, "deleted") == keys[1]


def test_without_the_tables_everything_else_works(fleet, connection):
    connection.execute("DROP TABLE search_results, search_jobs")
    job = insert_job(connection, target_results=30)
    eventually(lambda: is_final(connection, job))
    assert_counters_are_true(connection, job)
    assert "searches are not served" in fleet.ops("doctor", "--json").stdout
    assert fleet.ops("status").returncode == 0
    assert fleet.ops("list", "--table", "search_jobs").returncode == 0
