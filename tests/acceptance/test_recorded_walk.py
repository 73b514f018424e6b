"""Rows put in by plain SQL, against recorded answers: what is stored is what the recordings hold, once."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import psycopg
import pytest

from platforms.simulator.make_fixtures import FOLDER
from platforms.simulator.running import running_simulator
from platforms.simulator.settings import PROFILE_PATH, SEARCH_PATH
from tests.fleet import ROOT, eventually, fleet_of
from tests.jobs import assert_counters_are_true, insert_job, is_final, job, stored_creators, stored_ids, task

SAMPLES = ROOT.parent / "shared" / "samples" / "scrapecreators"
PAGES = (
    "tiktok_search_keyword.json",
    "tiktok_search_keyword__page2.json",
    "tiktok_search_keyword__page3.json",
    "tiktok_search_keyword__page4.json",
)


def recorded_authors(folder: Path) -> dict[str, dict[str, Any]]:
    """Author objects of the recorded walk by uid, in the order they first appear."""
    found: dict[str, dict[str, Any]] = {}
    for name in PAGES:
        for item in json.loads((folder / name).read_bytes())["search_item_list"]:
            found.setdefault(str(item["aweme_info"]["author"]["uid"]), item["aweme_info"]["author"])
    return found


@pytest.fixture(scope="module")
def simulator():
    with running_simulator("--replay", str(FOLDER)) as running:
        yield running


@pytest.fixture(scope="module")
def walked(module_database_url, module_redis_url, simulator, tmp_path_factory, rows):
    """A fleet that has walked the recordings once; gives the id of that job."""
    with fleet_of(module_database_url, module_redis_url, simulator, tmp_path_factory.mktemp("walked")):
        job_id = insert_job(rows, keywords=["desk lamp"], target_results=1000)
        eventually(lambda: is_final(rows, job_id))
        yield job_id


@pytest.fixture(scope="module")
def first_calls(walked, simulator) -> list[dict[str, Any]]:
    """The provider calls of that job."""
    return simulator.calls()


class TestARecordedWalk:
    def test_stores_each_recorded_creator_once_in_walk_order(self, walked, rows):
        truth = list(recorded_authors(FOLDER))
        assert len(truth) == 90
        assert stored_ids(rows, walked) == truth
        assert_counters_are_true(rows, walked)

    def test_ends_as_completed_because_the_provider_is_exhausted(self, walked, rows):
        row = job(rows, walked)
        assert (row["status"], row["progress"], row["error"]) == ("completed", 100, None)
        assert row["started_at"] <= row["completed_at"]
        assert (task(rows, walked)["state"], task(rows, walked)["end_reason"]) == ("closed", "exhausted")

    def test_asks_for_four_pages_and_the_end(self, walked, rows, first_calls):
        cursors = [call["params"]["cursor"] for call in first_calls if call["path"] == SEARCH_PATH]
        assert cursors == ["0", "30", "60", "90", "120"]
        assert job(rows, walked)["processed_runs"] == 5

    def test_looks_each_creators_profile_up_exactly_once(self, walked, first_calls):
        handles = Counter(call["params"]["handle"] for call in first_calls if call["path"] == PROFILE_PATH)
        assert set(handles.values()) == {1}
        assert set(handles) == {author["unique_id"] for author in recorded_authors(FOLDER).values()}

    def test_takes_bio_verified_and_followers_from_the_profiles(self, walked, rows):
        profiles = json.loads((FOLDER / "tiktok_profiles.json").read_bytes())
        compared = 0
        for creator in stored_creators(rows, walked):
            assert creator["enhancementStatus"] == "completed"
            told = profiles.get(creator["creator"]["uniqueId"], {})
            if "user" not in told:
                continue
            compared += 1
            if told["user"]["signature"]:
                assert creator["creator"]["bio"] == told["user"]["signature"]
            assert creator["creator"]["verified"] == told["user"]["verified"]
            assert creator["creator"]["followers"] == int(told["statsV2"]["followerCount"])
        assert compared == 84

    def test_finds_the_mail_addresses_in_the_profiles(self, walked, rows):
        # Given the profiles whose bio holds an address in plain sight
        profiles = json.loads((FOLDER / "tiktok_profiles.json").read_bytes())
        users = [told["user"] for told in profiles.values() if "@" in told.get("user", {}).get("signature", "")]
        by_handle = {creator["creator"]["uniqueId"]: creator["creator"] for creator in stored_creators(rows, walked)}
        checked = 0
        for user in users:
            words = user["signature"].lower().split()
            plain = [word for word in words if "@" in word and word.endswith(".example")]
            # Then each of them is stored
            assert set(plain) <= set(by_handle[user["uniqueId"]]["emails"])
            checked += len(plain)
        assert checked > 0

    def test_over_creators_known_already_pays_for_no_profile(self, walked, rows, simulator, first_calls):
        # Given the profiles that the first job paid for
        simulator.clear_calls()
        # When another tenant searches the same
        again = insert_job(rows, user_id="user_2", platform="TIKTOK", keywords=["desk lamp"], target_results=1000)
        eventually(lambda: is_final(rows, again))
        # Then the creators are as complete, and not one profile was called
        assert simulator.calls(PROFILE_PATH) == []
        assert [c["creator"] for c in stored_creators(rows, again)] == [
            c["creator"] for c in stored_creators(rows, walked)
        ]


class TestAFailingProfile:
    def test_leaves_a_thin_creator_and_the_page_goes_on(self, database_url, redis_url, simulator, connection, tmp_path):
        # Given a creator on the first page whose profile cannot be had
        truth = recorded_authors(FOLDER)
        uid, author = next(iter(truth.items()))
        simulator.clear_calls()
        simulator.set_fault("status", PROFILE_PATH, status=400, match={"handle": author["unique_id"]})
        try:
            with fleet_of(database_url, redis_url, simulator, tmp_path):
                # When the walk is done
                job_id = insert_job(connection, keywords=["desk lamp"], target_results=1000)
                eventually(lambda: is_final(connection, job_id))
        finally:
            simulator.clear_faults()
        # Then nobody is missing, and that one says what it lacks
        creators = stored_creators(connection, job_id)
        assert [creator["creator"]["id"] for creator in creators] == list(truth)
        assert [c["creator"]["id"] for c in creators if c["enhancementStatus"] == "failed"] == [uid]
        assert job(connection, job_id)["status"] == "completed"
        # And nothing is kept that would stand for the profile next time
        kept = connection.execute("SELECT creator_id FROM worker.creator_profiles").fetchall()
        assert {creator_id for (creator_id,) in kept} == set(truth) - {uid}


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="needs the recorded answers beside the repository")
class TestTheProvidersOwnRecordings:
    def test_give_exactly_the_creators_they_hold(
        self, database_url: str, redis_url: str, connection: psycopg.Connection, tmp_path: Path
    ):
        truth = list(recorded_authors(SAMPLES))
        with (
            running_simulator("--replay", str(SAMPLES)) as simulator,
            fleet_of(database_url, redis_url, simulator, tmp_path),
        ):
            job_id = insert_job(connection, keywords=["anything"], target_results=1000)
            eventually(lambda: is_final(connection, job_id))
        assert stored_ids(connection, job_id) == truth
        assert job(connection, job_id)["status"] == "completed"
        assert connection.execute("SELECT count(*) FROM worker.quarantine").fetchone() == (0,)
        assert_counters_are_true(connection, job_id)
