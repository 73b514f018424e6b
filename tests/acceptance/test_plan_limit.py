"""A user's plan as its jobs meet it: real processes, a provider on loopback, one counter."""

import json

import pytest

from platforms.simulator.running import running_simulator
from tests.fleet import eventually, fleet_of
from tests.integration.handlers.people import insert_user, part
from tests.jobs import assert_counters_are_true, insert_job, is_final, job, stored_ids, task

THIN = {"enrich": "none"}
LIMIT = 130
JOBS = 20


@pytest.fixture
def provider():
    with running_simulator("--items-per-query", "80") as simulator:
        yield simulator


@pytest.mark.slow
def test_twenty_jobs_of_one_user_in_two_processes_share_what_the_plan_gives_and_say_so(
    database_url, redis_url, connection, provider, tmp_path
):
    # Given a user with 130 creators a month, and twenty jobs that want 1,200 together
    insert_user(connection, user_usage={"plan_creators_limit": LIMIT})
    jobs = [insert_job(connection, keywords=[f"word {n}"], target_results=60, search_params=THIN) for n in range(JOBS)]
    with fleet_of(database_url, redis_url, provider, tmp_path, workers=2, TRAWLER_LANE_MAX_PER_TENANT="20") as fleet:
        # When all of them have ended
        eventually(lambda: all(is_final(connection, one) for one in jobs), seconds=60)
        # Then the plan is used up exactly, and every counter is true
        assert sum(len(stored_ids(connection, one)) for one in jobs) == LIMIT
        assert part(connection, "user_usage")["usage_creators_current_month"] == LIMIT
        for one in jobs:
            assert_counters_are_true(connection, one)
        # And whoever was cut is completed, and says why in words that help
        assert {job(connection, one)["status"] for one in jobs} == {"completed"}
        cut = [one for one in jobs if task(connection, one)["end_reason"] == "plan_limit"]
        assert len(cut) >= JOBS - 3
        assert "plan" in job(connection, cut[0])["error"]
        said = json.loads(fleet.ops("explain", cut[0], "--json").stdout)
        assert "plan has nothing left of this month's creators" in said["sentence"]
        (limited,) = connection.execute(
            "SELECT count(*) FROM events WHERE event_type = 'plan_limit_reached'"
        ).fetchone()
        assert limited == len(cut)
        # And a job that comes now ends without a call
        calls = len(provider.calls())
        late = insert_job(connection, keywords=["late"], target_results=60, search_params=THIN)
        eventually(lambda: is_final(connection, late))
        assert (job(connection, late)["status"], task(connection, late)["end_reason"]) == ("completed", "plan_limit")
        assert len(provider.calls()) == calls
        # And with a larger plan, a job that was cut goes on to its target
        connection.execute("UPDATE user_usage SET plan_creators_limit = -1")
        connection.execute("UPDATE scraping_jobs SET status = 'pending' WHERE id = %s::uuid", (cut[0],))
        eventually(lambda: is_final(connection, cut[0]) and len(stored_ids(connection, cut[0])) == 60, seconds=30)
        assert_counters_are_true(connection, cut[0])
        assert job(connection, cut[0])["error"] is None
