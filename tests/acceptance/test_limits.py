"""Limits as jobs meet them: waits that hold nothing, caps that are kept, a ledger that is true."""

from datetime import timedelta

import psycopg
import pytest
import redis

from platforms.simulator.running import running_simulator
from platforms.simulator.settings import PROFILE_PATH, SEARCH_PATH
from tests.fleet import FAST, eventually, fleet_of
from tests.jobs import assert_counters_are_true, attempts, insert_job, is_final, job, task
from worker.limits.overview import let_go, open_breakers

ITEMS = 80
THIN = {"enrich": "none"}


@pytest.fixture
def provider():
    with running_simulator("--items-per-query", str(ITEMS)) as simulator:
        yield simulator


def spent(connection: psycopg.Connection) -> int:
    return int(connection.execute("SELECT coalesce(sum(credits), 0) FROM worker.spend").fetchone()[0])


def tasks(connection: psycopg.Connection, where: str = "true") -> int:
    return connection.execute(f"SELECT count(*) FROM worker.tasks WHERE {where}".encode()).fetchone()[0]


@pytest.mark.slow
def test_a_thousand_jobs_behind_a_half_hour_s_wait_hold_no_thread_and_spend_no_attempt(
    database_url, redis_url, connection, provider, tmp_path
):
    jobs = 1000
    # Given a provider that asks everybody to wait for half an hour
    provider.set_fault("status", status=429, headers={"Retry-After": "1800"})
    connection.execute(
        "INSERT INTO scraping_jobs (user_id, platform, keywords, target_results, search_params)"
        " SELECT 'user_' || n %% 50, 'TikTok', jsonb_build_array('word ' || n), 10, '{\"enrich\": \"none\"}'"
        " FROM generate_series(1, %s) n",
        (jobs,),
    )
    # When a worker meets it with a thousand jobs
    with fleet_of(database_url, redis_url, provider, tmp_path):
        eventually(lambda: tasks(connection, "state = 'waiting'") == jobs, seconds=100)
        # Then each waits, with a reason and the provider's time, and no thread works on any
        assert tasks(connection, "wait_reason IN ('rate_limited', 'rate_limit')") == jobs
        (first, last) = connection.execute(
            "SELECT min(run_at - clock_timestamp()), max(run_at - clock_timestamp()) FROM worker.tasks"
        ).fetchone()
        assert first > timedelta(minutes=25)
        assert last < timedelta(minutes=45)
        assert tasks(connection, "state = 'leased'") == 0
        # And none has spent an attempt, nor a wait of those that are counted
        assert tasks(connection, "failures > 0 OR crashes > 0") == 0
        # And the provider was called by those alone that were on their way when it spoke
        calls = len(provider.calls())
        assert calls <= int(FAST["TRAWLER_SLOTS"])
        # And nothing spins: no wake-up is left, and nobody claims or calls any more
        slices = connection.execute("SELECT count(*) FROM worker.attempts").fetchone()[0]
        assert slices == jobs
        ticks = beats(connection)
        eventually(lambda: beats(connection) >= ticks + 3)
        assert connection.execute("SELECT count(*) FROM worker.attempts").fetchone()[0] == slices
        assert len(provider.calls()) == calls


def beats(connection: psycopg.Connection) -> float:
    """Seconds of the fleet's newest sign of life."""
    (newest,) = connection.execute("SELECT extract(epoch FROM max(last_tick_at)) FROM worker.workers").fetchone()
    return float(newest)


@pytest.mark.slow
def test_an_empty_balance_pauses_the_provider_and_one_probe_brings_all_back(
    database_url, redis_url, connection, provider, tmp_path
):
    with (
        redis.Redis.from_url(redis_url) as client,
        fleet_of(database_url, redis_url, provider, tmp_path, TRAWLER_BREAKER_SECONDS="0.5") as fleet,
    ):
        # Given a provider without credits
        provider.set_credits("test-key", 0)
        jobs = [insert_job(connection, keywords=[f"word {n}"], search_params=THIN) for n in range(20)]
        eventually(lambda: tasks(connection, "state = 'waiting'") == len(jobs))
        # Then the pause is there to be seen, with a reason somebody can act on
        (paused,) = open_breakers(client)
        assert (paused.provider, paused.endpoint, paused.reason) == ("scrapecreators", "", "out_of_credits")
        assert "out of credits" in paused.detail
        # When there are credits again
        provider.set_credits("test-key", 1_000_000)
        # Then all go on by themselves
        eventually(lambda: all(is_final(connection, job_id) for job_id in jobs))
        assert {job(connection, job_id)["status"] for job_id in jobs} == {"completed"}
        assert tasks(connection, "failures > 0") == 0
        assert open_breakers(client) == []
        assert "slice_failed" not in fleet.log()


def test_an_operator_who_mended_a_provider_need_not_wait_for_the_probe(
    database_url, redis_url, connection, provider, tmp_path
):
    with redis.Redis.from_url(redis_url) as client, fleet_of(database_url, redis_url, provider, tmp_path):
        provider.set_credits("test-key", 0)
        first = insert_job(connection, search_params=THIN)
        eventually(lambda: tasks(connection, "state = 'waiting'") == 1)
        provider.set_credits("test-key", 1_000_000)
        assert let_go(client, "scrapecreators") >= 1
        connection.execute("UPDATE worker.tasks SET run_at = clock_timestamp()")
        eventually(lambda: is_final(connection, first))
        assert job(connection, first)["status"] == "completed"


@pytest.mark.slow
def test_a_cap_of_the_day_is_spent_to_the_last_credit_and_then_all_wait_for_midnight(
    database_url, redis_url, connection, provider, tmp_path
):
    cap = 37
    settings = {"TRAWLER_BUDGETS": f'{{"scrapecreators": {{"day": {cap}}}}}'}
    with fleet_of(database_url, redis_url, provider, tmp_path, workers=2, **settings):
        jobs = [insert_job(connection, keywords=[f"word {n}"], target_results=10_000) for n in range(20)]
        eventually(lambda: tasks(connection, "state = 'waiting' AND wait_reason = 'budget'") == len(jobs))
    # Then exactly the cap was spent, by the ledger, by the provider, and by the cap itself
    assert spent(connection) == cap == provider.credits_charged()
    assert connection.execute("SELECT credits FROM worker.budget_use").fetchall() == [(cap,)]
    assert connection.execute("SELECT count(*) FROM worker.budget_reservations").fetchone() == (0,)
    assert tasks(connection, "failures > 0") == 0


def test_a_job_s_own_cap_ends_it_completed_with_what_it_found(database_url, redis_url, connection, provider, tmp_path):
    settings = {"TRAWLER_BUDGETS": '{"scrapecreators": {"job": 2}}'}
    with fleet_of(database_url, redis_url, provider, tmp_path, **settings):
        job_id = insert_job(connection, target_results=10_000, search_params=THIN)
        eventually(lambda: is_final(connection, job_id))
    assert (job(connection, job_id)["status"], task(connection, job_id)["end_reason"]) == ("completed", "credit_limit")
    assert job(connection, job_id)["processed_runs"] == 2
    assert_counters_are_true(connection, job_id)
    assert attempts(connection, job_id) == [("completed", "credit_limit")]


def test_a_job_whose_credits_end_among_profiles_keeps_its_page(database_url, redis_url, connection, provider, tmp_path):
    settings = {"TRAWLER_BUDGETS": '{"scrapecreators": {"job": 5}}'}
    with fleet_of(database_url, redis_url, provider, tmp_path, **settings):
        job_id = insert_job(connection, target_results=10_000)
        eventually(lambda: is_final(connection, job_id))
    assert task(connection, job_id)["end_reason"] == "credit_limit"
    assert job(connection, job_id)["processed_runs"] == 1
    assert spent(connection) == 5 == provider.credits_charged()


@pytest.mark.slow(minutes=1.5)
def test_the_ledger_is_what_the_provider_charged_whatever_its_answers_were(
    database_url, redis_url, connection, provider, tmp_path
):
    # Given every kind of fault, of searches and of profiles, some charged and some not
    for path in (SEARCH_PATH, PROFILE_PATH):
        provider.set_fault("status", path, status=500, after=3, times=4)
        provider.set_fault("cut_json", path, after=6, times=4)
        provider.set_fault("status", path, status=429, after=9, times=2)
        provider.set_fault("drop", path, after=12, times=2)
        provider.set_fault("html", path, after=15, times=3)
    provider.set_fault("missing_list", SEARCH_PATH, after=16, times=3)
    # When several jobs of two workers walk through them
    with fleet_of(database_url, redis_url, provider, tmp_path, workers=2):
        jobs = [insert_job(connection, keywords=[f"word {n}"], target_results=60) for n in range(8)]
        eventually(lambda: all(is_final(connection, job_id) for job_id in jobs), seconds=100)
    # Then each credit is in the ledger, once
    assert spent(connection) == provider.credits_charged()
    assert connection.execute("SELECT sum(calls) FROM worker.spend").fetchone()[0] == len(provider.calls())
    assert {job(connection, job_id)["status"] for job_id in jobs} == {"completed"}
