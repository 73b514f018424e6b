"""Rows that cannot be done end as errors within seconds, with a text their owner can act on, and disturb nobody."""

from dataclasses import dataclass, field
from typing import Any

import pytest

from platforms.simulator.running import running_simulator
from tests.fleet import Fleet, eventually, fleet_of
from tests.jobs import attempts, insert_job, is_final, job, stored_creators, task

SOON_SECONDS = 10


@dataclass(frozen=True)
class BadRow:
    """What is wrong, and what its error must hold: what was seen, what is expected, what to do."""

    seen: str
    expected: str
    to_do: str
    columns: dict[str, Any] = field(default_factory=dict)


BAD_ROWS = {
    "unknown platform": BadRow("MySpace", "TikTok", "set the job to pending", {"platform": "MySpace"}),
    "a provider that does not read it": BadRow(
        "Instagram keyword search by apify",
        "TikTok keyword",
        "Create",
        {"platform": "Instagram", "search_params": {"provider": "apify"}},
    ),
    "neither keywords nor target": BadRow("neither", "one of them", "Set keywords", {"keywords": None}),
    "no keyword in the array": BadRow("neither", "one of them", "Set keywords", {"keywords": []}),
    "blank keywords": BadRow('[" "]', "not blank", "Correct keywords", {"keywords": [" "]}),
    "a similar search that its provider does not have": BadRow(
        "TikTok similar search by tiktok_research",
        "TikTok keyword",
        "Create",
        {"keywords": None, "target_username": "@someone", "search_params": {"provider": "tiktok_research"}},
    ),
    "keywords as an object": BadRow(
        '{"a":"lamp"}', "array of strings", "Correct keywords", {"keywords": {"a": "lamp"}}
    ),
    "keywords as numbers": BadRow("[1,2]", "array of strings", "Correct keywords", {"keywords": [1, 2]}),
    "keywords as a string": BadRow('"lamp"', "array of strings", "Correct keywords", {"keywords": "lamp"}),
    "keywords with null": BadRow("null", "array of strings", "Correct keywords", {"keywords": ["lamp", None]}),
    "a negative target": BadRow("-5", "above 0", "Correct target_results", {"target_results": -5}),
    "a target of zero": BadRow("0", "above 0", "Correct target_results", {"target_results": 0}),
    "search_params as an array": BadRow("[1]", "an object", "Correct search_params", {"search_params": [1]}),
    "an unknown way to dedupe": BadRow(
        "handle", "creator or video", "Correct search_params.dedupe", {"search_params": {"dedupe": "handle"}}
    ),
    "an unknown provider": BadRow(
        "by acme", "TikTok keyword search by", "Create", {"search_params": {"provider": "acme"}}
    ),
    "a region that is no country": BadRow("Narnia", "two letters", "Correct region", {"region": "Narnia"}),
    "a username that is none": BadRow(
        "two words", "one username", "Correct target_username", {"target_username": "two words"}
    ),
}


@pytest.fixture(scope="module")
def simulator():
    with running_simulator("--items-per-query", "60") as running:
        yield running


@pytest.fixture(scope="module")
def fleet(module_database_url, module_redis_url, simulator, tmp_path_factory):
    with fleet_of(module_database_url, module_redis_url, simulator, tmp_path_factory.mktemp("fleet")) as running:
        yield running


@pytest.mark.usefixtures("fleet")
class TestARowThatCannotBeDone:
    @pytest.mark.parametrize("bad", BAD_ROWS.values(), ids=BAD_ROWS)
    def test_ends_as_error_that_says_what_to_do_while_others_complete(self, rows, simulator, bad):
        # Given one row that cannot be done and one that can, of the same tenant and moment
        simulator.clear_calls()
        with rows.transaction():
            wrong = insert_job(rows, **bad.columns)
            right = insert_job(rows, target_results=5, search_params={"enrich": "none"})
        # When both have ended
        eventually(lambda: is_final(rows, wrong) and is_final(rows, right), SOON_SECONDS)
        # Then the first says what was seen, what is expected, and what to do
        row = job(rows, wrong)
        assert row["status"] == "error"
        assert bad.seen in row["error"]
        assert bad.expected in row["error"]
        assert bad.to_do in row["error"]
        assert row["completed_at"] is not None
        # And costs nothing: no call, no second try
        assert (row["processed_runs"], row["processed_results"], row["progress"]) == (0, 0, 0)
        assert attempts(rows, wrong) == [("error", "invalid_job")]
        assert len(simulator.calls()) == 1, "the page of the other job"
        # And the other has what it wants
        assert job(rows, right)["status"] == "completed"
        assert len(stored_creators(rows, right)) == 5

    def test_is_done_when_it_is_mended_and_set_to_pending(self, rows):
        # Given a row that ended for its keywords
        job_id = insert_job(rows, keywords="lamp", target_results=5, search_params={"enrich": "none"})
        eventually(lambda: is_final(rows, job_id), SOON_SECONDS)
        # When its owner does what the text says
        rows.execute(
            "UPDATE scraping_jobs SET keywords = '[\"lamp\"]', status = 'pending' WHERE id = %s::uuid", (job_id,)
        )
        eventually(lambda: job(rows, job_id)["status"] == "completed", SOON_SECONDS)
        # Then nothing of the error is left
        row = job(rows, job_id)
        assert (row["error"], row["processed_results"], row["progress"]) == (None, 5, 100)


class TestAMissingKey:
    def test_ends_each_job_as_error_that_names_the_variable(
        self, database_url, redis_url, connection, simulator, tmp_path
    ):
        # Given workers without the provider's key
        fleet: Fleet
        with fleet_of(database_url, redis_url, simulator, tmp_path, SCRAPECREATORS_API_KEY="") as fleet:
            # When a job comes
            job_id = insert_job(connection)
            eventually(lambda: is_final(connection, job_id), SOON_SECONDS)
            # Then the row says what is missing and what to do, and the worker lives
            error = job(connection, job_id)["error"]
            assert "SCRAPECREATORS_API_KEY is not set" in error
            assert "expected the credentials of the provider" in error
            assert "retry the job" in error
            assert task(connection, job_id)["end_reason"] == "configuration"
            assert [process.poll() for process in fleet.processes] == [None, None]
