"""Answers that are no page: asked for again, then told; nothing is lost, nothing is stored twice."""

import re

import psutil
import pytest

from platforms.simulator.catalogue import creators_of, page_starts
from tests.acceptance.bad_answers.answers import (
    ATTEMPTS,
    ITEMS,
    MEGABYTE,
    PASSING,
    REFUSALS,
    SEED,
    assert_complete,
    cursors_asked,
    put_in,
    walk,
)
from tests.fleet import eventually, fleet_of
from tests.jobs import (
    assert_counters_are_true,
    attempts,
    is_final,
    job,
    stored_ids,
    task,
)


@pytest.mark.usefixtures("fleet")
class TestAnAnswerThatIsNoPage:
    @pytest.mark.parametrize("word", PASSING)
    def test_is_asked_for_again_and_the_job_completes(self, rows, passed, word):
        job_id = passed[word]
        assert_complete(rows, job_id, f"{word} twice")
        assert attempts(rows, job_id) == [
            *[("retry", PASSING[word].reason)] * (ATTEMPTS - 1),
            ("completed", "exhausted"),
        ]
        assert task(rows, job_id)["failures"] == 0, "a page gives attempts back"

    @pytest.mark.parametrize("word", PASSING)
    def test_for_ever_ends_the_job_after_its_attempts_with_the_reason(self, rows, given_up, word):
        bad, job_id = PASSING[word], given_up[word]
        row = job(rows, job_id)
        assert row["status"] == "error"
        assert f"gave up after {ATTEMPTS} attempts" in row["error"]
        assert bad.words in row["error"]
        assert attempts(rows, job_id) == [*[("retry", bad.reason)] * (ATTEMPTS - 1), ("error", bad.reason)]
        assert task(rows, job_id)["end_reason"] == bad.reason

    @pytest.mark.parametrize("word", REFUSALS)
    def test_that_is_a_refusal_ends_the_job_at_once(self, rows, given_up, word):
        bad, job_id = REFUSALS[word], given_up[word]
        row = job(rows, job_id)
        assert row["status"] == "error"
        assert bad.words in row["error"]
        assert attempts(rows, job_id) == [("error", bad.reason)]

    @pytest.mark.parametrize("word", {**PASSING, **REFUSALS})
    def test_keeps_what_came_before_it(self, rows, given_up, word):
        job_id = given_up[word]
        first_page = page_starts(SEED, word, ITEMS)[1]
        assert stored_ids(rows, job_id) == list(creators_of(SEED, word, first_page))
        assert_counters_are_true(rows, job_id)
        assert 0 < job(rows, job_id)["progress"] < 100

    def test_for_ever_tells_the_owner_what_to_do(self, rows, given_up):
        errors = {word: job(rows, job_id)["error"] for word, job_id in given_up.items()}
        advice = re.compile(r"\b(retry|check|set|correct|create|wait)\b", re.IGNORECASE)
        assert {word: error for word, error in errors.items() if not advice.search(error)} == {}


class TestSecondsLongFaults:
    def test_cost_no_attempt(self, fleet, rows, simulator):
        # Given a provider that fails twice and then answers
        simulator.set_fault("status", status=500, match={"query": "hiccup"}, times=2)
        # When a job walks
        job_id = walk(rows, "hiccup")
        # Then the call is made again within the slice
        assert_complete(rows, job_id, "hiccup")
        assert cursors_asked(simulator, "hiccup")[:4] == [0, 0, 0, 30]
        assert attempts(rows, job_id) == [("completed", "exhausted")]

    @pytest.mark.parametrize("kind", ["drop", "status"])
    def test_make_three_calls_an_attempt_and_no_more(self, fleet, rows, simulator, kind):
        # Given a provider that may charge for each call it does not answer
        word = f"three calls {kind}"
        simulator.set_fault(kind, match={"query": word}, after=1)
        # When a job gives up on its second page
        job_id = walk(rows, word)
        # Then it made the calls it knows of
        assert len(attempts(rows, job_id)) == ATTEMPTS
        assert cursors_asked(simulator, word) == [0, *[30] * 3 * ATTEMPTS]

    @pytest.mark.slow
    def test_a_provider_that_hangs_is_left_after_the_total_time_out(
        self, database_url, redis_url, running, connection, tmp_path
    ):
        # Given a time-out of a second, and a provider that sends headers and then nothing
        settings = {
            "TRAWLER_PROVIDER_READ_SECONDS": "1",
            "TRAWLER_PROVIDER_TOTAL_SECONDS": "1",
            "TRAWLER_MAX_ATTEMPTS": "1",
        }
        running.set_fault("hang", match={"query": "hang"})
        running.set_fault("hang", match={"query": "pause"}, times=1)
        with fleet_of(database_url, redis_url, running, tmp_path, **settings):
            # When one job meets it for ever and another once
            stuck, paused = put_in(connection, "hang"), put_in(connection, "pause")
            eventually(lambda: is_final(connection, stuck) and is_final(connection, paused))
        running.clear_faults()
        # Then the first gives up with the reason, and the second has everything
        assert job(connection, stuck)["status"] == "error"
        assert "1 s" in job(connection, stuck)["error"]
        assert attempts(connection, stuck) == [("error", "transport")]
        assert_complete(connection, paused, "pause")


class TestAnAnswerThatIsTooLarge:
    def test_is_cut_off_and_the_workers_memory_stays_small(self, fleet, rows, simulator):
        # Given four jobs at once, each of whose pages is 300 MB long
        worker = psutil.Process(fleet.processes[1].pid)
        words = [f"too large {number}" for number in range(4)]
        for word in words:
            simulator.set_fault("huge", match={"query": word})
        ids = [put_in(rows, word) for word in words]
        seen: list[int] = []

        def over() -> bool:
            seen.append(worker.memory_info().rss)
            return all(is_final(rows, job_id) for job_id in ids)

        # When they have given up
        eventually(over)
        # Then the worker lives and never held more than the caps allow
        assert {job(rows, job_id)["status"] for job_id in ids} == {"error"}
        assert max(seen) < 400 * MEGABYTE
