"""``enrich_creators``: a stored job gets its profiles later, each creator in its place and paid for once."""

import json
from collections import Counter
from typing import Any

import pytest

from actors.handlers.profile_filling import filled, item_of
from db.session import connect
from platforms.profile import Profile
from platforms.simulator.running import running_simulator
from platforms.simulator.settings import PROFILE_PATH
from tests.fleet import Fleet, eventually, fleet_of
from tests.integration.handlers.conftest import Engine
from tests.integration.handlers.followed import raised
from tests.integration.handlers.people import insert_user, part
from tests.jobs import (
    attempts,
    background_is_final,
    background_job,
    insert_background_job,
    insert_job,
    is_final,
    stored_creators,
)

FOUND = Profile(
    "found",
    bio="Lamps",
    emails=["a@x.example"],
    verified=True,
    followers=77,
    following=3,
    posts=4,
    likes=5,
    country="PT",
)


@pytest.fixture
def simulator():
    with running_simulator("--items-per-query", "60") as running:
        yield running


@pytest.fixture
def fleet(database_url, redis_url, simulator, tmp_path):
    with fleet_of(database_url, redis_url, simulator, tmp_path, TRAWLER_PROFILE_CALLS="4") as running:
        yield running


def searched(connection, **columns: Any) -> str:
    """A job of thin creators, ended."""
    job_id = insert_job(connection, target_results=45, search_params={"enrich": "none"}, **columns)
    eventually(lambda: is_final(connection, job_id))
    assert {one["enhancementStatus"] for one in stored_creators(connection, job_id)} == {"skipped"}
    return job_id


def enriched(connection, job_id: str, **payload: Any) -> dict[str, Any]:
    background_id = insert_background_job(connection, "enrich_creators", {"jobId": job_id, **payload})
    eventually(lambda: background_is_final(connection, background_id))
    row = background_job(connection, background_id)
    assert row["status"] == "completed", row["error"]
    return row


def looked_up(simulator) -> Counter[str]:
    """How often each creator was asked for."""
    return Counter(call["params"]["handle"] for call in simulator.calls(PROFILE_PATH))


def places(connection, job_id: str) -> list[tuple[str, list[str]]]:
    """Every batch, and who is in it in which order."""
    return connection.execute(
        "SELECT id::text, jsonb_path_query_array(creators, '$[*].creator.id') FROM scraping_results"
        " WHERE job_id = %s ORDER BY created_at, id",
        (job_id,),
    ).fetchall()


WAITS_FOR_US = "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE %s = ANY (pg_blocking_pids(pid)))"


def used(connection) -> int:
    return part(connection, "user_usage")["enrichments_current_month"]


def spent(connection, background_id: str) -> int:
    (calls,) = connection.execute(
        "SELECT coalesce(sum(calls), 0) FROM worker.spend WHERE job_id = %s", (background_id,)
    ).fetchone()
    return calls


@pytest.mark.slow
class TestAStoredJob:
    def test_is_filled_in_its_places_and_each_look_up_is_paid_once(self, fleet, connection, simulator):
        job_id = searched(connection)
        before = places(connection, job_id)
        row = enriched(connection, job_id)
        # Then every creator has what a search with look-ups stores
        creators = stored_creators(connection, job_id)
        assert {one["enhancementStatus"] for one in creators} == {"completed"}
        assert any(one["creator"]["bio"] for one in creators)
        assert any(one["creator"]["emails"] for one in creators)
        # And nobody has moved, come or gone
        assert places(connection, job_id) == before
        assert row["result"] == {"completed": 45, "failed": 0, "calls": 45, "more": False, "endReason": "done"}
        assert set(looked_up(simulator).values()) == {1}
        assert spent(connection, str(row["id"])) == 45
        # When it is asked for again
        assert enriched(connection, job_id)["result"]["calls"] == 0
        # And of another job with the same creators: what is known is not paid for again
        other = searched(connection, user_id="user_2")
        assert enriched(connection, other)["result"]["calls"] == 0
        assert sum(looked_up(simulator).values()) == 45

        # The same search with look-ups gives the same creators
        inline = insert_job(connection, target_results=45, user_id="user_3")
        eventually(lambda: is_final(connection, inline))
        assert [one["creator"] for one in stored_creators(connection, inline)] == [one["creator"] for one in creators]

    def test_pays_for_no_more_than_it_may(self, fleet, connection, simulator):
        job_id = searched(connection)
        result = enriched(connection, job_id, maxCalls=7)["result"]
        assert (result["completed"], result["endReason"]) == (7, "max_calls")
        assert sum(looked_up(simulator).values()) == 7
        result = enriched(connection, job_id)["result"]
        assert result == {"completed": 38, "failed": 0, "calls": 38, "more": False, "endReason": "done"}

    def test_whose_worker_is_killed_is_filled_by_another(self, fleet: Fleet, connection, simulator):
        job_id = searched(connection)
        insert_user(connection, user_usage={})
        sizes = [len(ids) for _, ids in places(connection, job_id)]
        handles = [one["creator"]["uniqueId"] for one in stored_creators(connection, job_id)]
        # Given a worker that dies while it has look-ups of the second batch under way
        simulator.set_fault("gate", PROFILE_PATH, after=sizes[0], times=4)
        background_id = insert_background_job(connection, "enrich_creators", {"jobId": job_id})
        assert simulator.wait_for_gate(4, timeout_seconds=30) == 4
        fleet.kill(fleet.processes[1])
        asked = looked_up(simulator)
        simulator.open_gate()
        # When another takes over
        fleet.worker()
        eventually(lambda: background_is_final(connection, background_id))
        assert attempts(connection, background_id) == [("crashed", "lease_expired"), ("completed", "done")]
        # Then all is filled, and of the first batch nobody was paid for again
        assert {one["enhancementStatus"] for one in stored_creators(connection, job_id)} == {"completed"}
        again = looked_up(simulator) - asked
        assert set(again.values()) == {1}
        assert set(again) == set(handles[sizes[0] :])
        # And each is counted once
        assert used(connection) == 45


@pytest.mark.slow
class TestThePlan:
    def test_counts_each_creator_that_was_filled_once(self, fleet, connection, simulator):
        job_id = searched(connection)
        insert_user(connection, user_usage={"enrichments_current_month": 5})
        for _ in range(2):
            enriched(connection, job_id)
        assert used(connection) == 50

    @pytest.mark.parametrize("at_the_user", [True, False])
    def test_is_not_passed_and_what_it_has_not_is_not_paid_for(self, fleet, connection, simulator, at_the_user):
        # Given a user who has 12 left, by a limit of the user's own or of the plan
        limit = json.dumps({"enrichments_limit": 20})
        subscription = {"user_subscriptions": {"current_plan": "glow_up"}}
        usage = {"enrichments_current_month": 8, **({"plan_features": limit} if at_the_user else {})}
        insert_user(connection, user_usage=usage, **({} if at_the_user else subscription))
        if not at_the_user:
            connection.execute("UPDATE subscription_plans SET features = %s WHERE plan_key = 'glow_up'", (limit,))
        job_id = searched(connection)
        before = places(connection, job_id)
        result = enriched(connection, job_id)["result"]
        assert result == {"completed": 12, "failed": 0, "calls": 12, "more": False, "endReason": "plan_limit"}
        # Then the first twelve are filled, and no other was looked up
        filled_now = [one["enhancementStatus"] == "completed" for one in stored_creators(connection, job_id)]
        assert filled_now == [True] * 12 + [False] * 33
        assert (used(connection), sum(looked_up(simulator).values())) == (20, 12)
        assert places(connection, job_id) == before
        # When it is asked again, nothing is done; with a larger plan the rest is
        assert enriched(connection, job_id)["result"]["endReason"] == "plan_limit"
        connection.execute("UPDATE subscription_plans SET features = '{}'")
        connection.execute("UPDATE user_usage SET plan_features = '{\"enrichments_limit\": -1}'")
        assert enriched(connection, job_id)["result"]["completed"] == 33
        assert used(connection) == 53

    def test_is_not_passed_by_jobs_at_once(self, fleet, connection, simulator):
        jobs = [searched(connection) for _ in range(3)]
        limit = json.dumps({"enrichments_limit": 30})
        insert_user(connection, user_usage={"plan_features": limit})
        asked = [insert_background_job(connection, "enrich_creators", {"jobId": job_id}) for job_id in jobs]
        eventually(lambda: all(background_is_final(connection, one) for one in asked))
        rows = [background_job(connection, one) for one in asked]
        assert [row["status"] for row in rows] == ["completed"] * 3
        stored = [one for job_id in jobs for one in stored_creators(connection, job_id)]
        assert sum(one["enhancementStatus"] == "completed" for one in stored) == 30
        assert used(connection) == 30

    def test_holds_against_whoever_counts_between_the_look_ups_and_the_filling(
        self, fleet, connection, simulator, database_url
    ):
        job_id = searched(connection)
        limit = json.dumps({"enrichments_limit": 30})
        insert_user(connection, user_usage={"plan_features": limit})
        # Given somebody who has just counted 27 and has not committed
        with connect(database_url, "beside") as beside, beside.transaction():
            beside.execute("UPDATE user_usage SET enrichments_current_month = 27")
            background_id = insert_background_job(connection, "enrich_creators", {"jobId": job_id})
            eventually(lambda: connection.execute(WAITS_FOR_US, (beside.info.backend_pid,)).fetchone() == (True,))
        eventually(lambda: background_is_final(connection, background_id))
        row = background_job(connection, background_id)
        # Then only what was left is filled
        assert (row["status"], row["result"]["completed"], row["result"]["endReason"]) == ("completed", 3, "plan_limit")
        assert used(connection) == 30

    def test_of_a_month_that_is_over_begins_anew(self, fleet, connection, simulator):
        job_id = searched(connection)
        limit = json.dumps({"enrichments_limit": 45})
        last_month = "sql:date_trunc('month', worker.utc_now()) - interval '1 day'"
        usage = {"enrichments_current_month": 40, "usage_creators_current_month": 7, "usage_reset_date": last_month}
        insert_user(connection, user_usage={"plan_features": limit, **usage})
        assert enriched(connection, job_id)["result"]["completed"] == 45
        row = part(connection, "user_usage")
        assert (row["enrichments_current_month"], row["usage_creators_current_month"]) == (45, 0)
        (event,) = raised(connection, "usage_reset")
        assert event["event_data"]["enrichmentsBefore"] == 40
        assert event["event_data"]["creatorsBefore"] == 7


class TestAJobThatCannotBeEnriched:
    async def test_because_it_is_not_there_fails_at_once(self, engine: Engine):
        row = await engine.run("enrich_creators", {"jobId": "0b8e4f9e-6f0c-4a57-b0e4-56f0d0a4c001"})
        assert row["status"] == "failed"
        assert "jobId" in row["error"]

    async def test_because_it_is_at_work_waits(self, engine: Engine, connection):
        row = await engine.run("enrich_creators", {"jobId": insert_job(connection)})
        assert (row["status"], row["retry_count"]) == ("pending", 0)
        assert "has ended" in row["error"]


class TestFilling:
    def test_changes_what_the_profile_tells_and_nothing_else(self):
        thin = {
            "creator": {"id": "1", "uniqueId": "ann", "bio": "", "followers": 0, "name": "Ann", "following": 0},
            "followerCount": 0,
            "is_verified": False,
            "video": {"id": "v"},
            "enhancementStatus": "skipped",
            "provenance": {"unknown": ["creator.followers", "followerCount", "video.statistics.likes"]},
        }
        before = json.dumps(thin)
        whole = filled(thin, FOUND)
        assert json.dumps(thin) == before
        assert whole == {
            "creator": {
                "id": "1",
                "uniqueId": "ann",
                "bio": "Lamps",
                "followers": 77,
                "name": "Ann",
                "following": 3,
                "emails": ["a@x.example"],
                "verified": True,
            },
            "followerCount": 77,
            "is_verified": True,
            "video": {"id": "v"},
            "enhancementStatus": "completed",
            "provenance": {"unknown": ["video.statistics.likes"]},
        }

    def test_by_a_profile_that_tells_nothing_takes_nothing_away(self):
        thin = {"creator": {"id": "1", "bio": "old", "emails": ["b@x.example"], "followers": 9}}
        assert filled(thin, Profile("gone")) == {**thin, "enhancementStatus": "completed"}
        assert filled(thin, None) == {**thin, "enhancementStatus": "failed"}

    @pytest.mark.parametrize(
        ("creator", "key"),
        [
            ({"creator": {"id": "1", "uniqueId": "ann"}}, "1"),
            ({"creator": {"uniqueId": "@Ann"}}, "@ann"),
            ({"id": "UC1", "username": "ann"}, "UC1"),
            ({"creator": {"name": "x"}, "ownerId": 17}, "17"),
            ({"creator": {"id": "1"}, "enhancementStatus": "failed"}, "1"),
            ({"creator": {"id": "1"}, "enhancementStatus": "completed"}, None),
            ({"creator": {"name": "nobody"}}, None),
            ("text", None),
        ],
        ids=str,
    )
    def test_knows_who_a_stored_creator_is(self, creator, key):
        item = item_of(creator)
        assert (item and item.key) == key
