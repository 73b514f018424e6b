"""What keywords, targets and search_params mean for what is stored."""

import pytest

from platforms.simulator.catalogue import creators_of, videos_of
from platforms.simulator.running import running_simulator
from platforms.simulator.settings import PROFILE_PATH, SEARCH_PATH
from tests.fleet import eventually, fleet_of
from tests.jobs import assert_counters_are_true, insert_job, is_final, job, stored_creators, stored_ids, task

ITEMS = 90
SEED = 1
MORE_THAN_THERE_IS = 10_000
THIN = {"enrich": "none"}


@pytest.fixture(scope="module")
def simulator():
    with running_simulator("--items-per-query", str(ITEMS), "--seed", str(SEED)) as running:
        yield running


@pytest.fixture(scope="module")
def fleet(module_database_url, module_redis_url, simulator, tmp_path_factory):
    with fleet_of(module_database_url, module_redis_url, simulator, tmp_path_factory.mktemp("fleet")) as running:
        yield running


def ended(rows, **columns) -> str:
    """Id of a job that was put in and has ended."""
    job_id = insert_job(rows, **columns)
    eventually(lambda: is_final(rows, job_id))
    return job_id


def pages_asked(simulator, *words: str) -> list[tuple[str, int]]:
    calls = simulator.calls(SEARCH_PATH)
    return [(c["params"]["query"], int(c["params"]["cursor"])) for c in calls if c["params"]["query"] in words]


@pytest.mark.usefixtures("fleet")
class TestKeywords:
    def test_walk_in_turn_each_with_a_cursor_of_its_own(self, rows, simulator):
        # Given two keywords
        words = ["kettle", "teapot"]
        # When a job walks both to their ends
        job_id = ended(rows, keywords=words, target_results=MORE_THAN_THERE_IS, search_params=THIN)
        # Then pages alternate as long as both have some
        asked = pages_asked(simulator, *words)
        rounds = min(sum(word == name for word, _ in asked) for name in words)
        turns = [(word, 30 * page) for page in range(rounds) for word in words]
        assert asked[: len(turns)] == turns
        assert len(asked) == len(set(asked))
        # And together they give the creators of both, each once
        truth = {uid for word in words for uid in creators_of(SEED, word, ITEMS)}
        assert set(stored_ids(rows, job_id)) == truth
        assert_counters_are_true(rows, job_id)
        assert task(rows, job_id)["end_reason"] == "exhausted"

    def test_that_are_the_same_but_for_case_and_blanks_walk_once(self, rows, simulator):
        job_id = ended(rows, keywords=["Jug", " jug ", "JUG", "  "], target_results=1000, search_params=THIN)
        assert {word for word, _ in pages_asked(simulator, "Jug", " jug ", "JUG", "jug")} == {"Jug"}
        assert stored_ids(rows, job_id) == list(creators_of(SEED, "Jug", ITEMS))

    def test_in_every_script_and_with_signs_of_urls_reach_the_provider_as_they_are(self, rows, simulator):
        word = "日本 & 100% #café?cursor=9"
        job_id = ended(rows, keywords=[word], target_results=1000, search_params=THIN)
        assert pages_asked(simulator, word)[0] == (word, 0)
        assert stored_ids(rows, job_id) == list(creators_of(SEED, word, ITEMS))


@pytest.mark.usefixtures("fleet")
class TestATarget:
    @pytest.mark.parametrize("target", [1, 27, 37])
    def test_is_reached_exactly_and_never_passed(self, rows, target):
        word = f"target {target}"
        job_id = ended(rows, keywords=[word], target_results=target, search_params=THIN)
        assert stored_ids(rows, job_id) == list(creators_of(SEED, word, ITEMS))[:target]
        row = job(rows, job_id)
        assert (row["status"], row["progress"], row["processed_results"]) == ("completed", 100, target)
        assert task(rows, job_id)["end_reason"] == "target_reached"
        assert_counters_are_true(rows, job_id)

    def test_pays_for_no_profile_of_a_creator_it_does_not_store(self, rows, simulator):
        simulator.clear_calls()
        job_id = ended(rows, keywords=["frugal"], target_results=5)
        handles = [creator["creator"]["uniqueId"] for creator in stored_creators(rows, job_id)]
        assert sorted(call["params"]["handle"] for call in simulator.calls(PROFILE_PATH)) == sorted(handles)

    def test_raised_later_lets_the_job_go_on_at_its_checkpoint(self, rows, simulator):
        # Given a job that ended in the middle of its second page
        word = "more please"
        job_id = ended(rows, keywords=[word], target_results=37, search_params=THIN)
        before = pages_asked(simulator, word)
        # When its target is raised and its row set to pending
        rows.execute(
            "UPDATE scraping_jobs SET target_results = %s, status = 'pending' WHERE id = %s::uuid",
            (MORE_THAN_THERE_IS, job_id),
        )
        eventually(lambda: is_final(rows, job_id))
        # Then it asks for the page that was cut again, and for none before it
        after = pages_asked(simulator, word)[len(before) :]
        assert (before[-1], after[0]) == ((word, 30), (word, 30))
        assert [cursor for _, cursor in after] == sorted({cursor for _, cursor in after})
        # And nobody is missing, nobody twice
        assert stored_ids(rows, job_id) == list(creators_of(SEED, word, ITEMS))
        assert (job(rows, job_id)["status"], job(rows, job_id)["progress"]) == ("completed", 100)
        assert_counters_are_true(rows, job_id)


@pytest.mark.usefixtures("fleet")
class TestSearchParams:
    def test_dedupe_by_video_stores_every_video_once(self, rows):
        params = {"dedupe": "video", **THIN}
        job_id = ended(rows, keywords=["by video"], target_results=MORE_THAN_THERE_IS, search_params=params)
        stored = stored_creators(rows, job_id)
        truth = videos_of(SEED, "by video", ITEMS)
        assert len(truth) > len(creators_of(SEED, "by video", ITEMS)), "this word would prove nothing"
        assert [creator["video"]["id"] for creator in stored] == list(truth)
        assert job(rows, job_id)["processed_results"] == len(truth)

    def test_enrich_none_calls_no_profile(self, rows, simulator):
        simulator.clear_calls()
        job_id = ended(rows, keywords=["thin"], target_results=40, search_params=THIN)
        assert simulator.calls(PROFILE_PATH) == []
        assert {creator["enhancementStatus"] for creator in stored_creators(rows, job_id)} == {"skipped"}

    def test_that_nobody_reads_are_ignored_and_logged(self, rows, fleet):
        params = {"tone": "bright", "pages": {"deep": [1]}, **THIN}
        job_id = ended(rows, keywords=["unknown params"], target_results=10, search_params=params)
        assert job(rows, job_id)["status"] == "completed"
        assert len(stored_ids(rows, job_id)) == 10
        (line,) = [line for line in fleet.log().splitlines() if "search_params_ignored" in line]
        assert "tone" in line
        assert "pages" in line
        assert job_id in line
