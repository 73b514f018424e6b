"""Answers that concern a whole provider: every job waits, says why, and goes on when somebody mended it."""

import pytest

from platforms.simulator.settings import PROFILE_PATH, SEARCH_PATH
from tests.acceptance.bad_answers.answers import WAITS, assert_complete, cursors_asked, put_in, reopen, told, walk
from tests.fleet import Fleet, eventually
from tests.jobs import (
    attempts,
    is_final,
    job,
    state,
    stored_creators,
    task,
)


class TestAProviderThatHasToBeWaitedFor:
    def test_waits_as_long_as_the_provider_says_and_goes_on_by_itself(self, fleet, rows, simulator):
        # Given a provider that asks for two seconds, once, in mid-walk
        simulator.set_fault(
            "status", status=429, headers={"Retry-After": "2"}, match={"query": "slow down"}, after=1, times=1
        )
        # When a job meets it
        job_id = put_in(rows, "slow down")
        eventually(lambda: state(rows, job_id) == "waiting")
        # Then the task says why, and the row stays as it is
        assert task(rows, job_id)["wait_reason"] == "rate_limited"
        assert "asked to slow down" in told(rows, job_id)
        assert job(rows, job_id)["status"] == "processing"
        assert job(rows, job_id)["error"] is None
        # And it goes on when the time is over, with no attempt spent
        eventually(lambda: is_final(rows, job_id))
        assert_complete(rows, job_id, "slow down")
        assert attempts(rows, job_id) == [("wait", "rate_limited"), ("completed", "exhausted")]
        times = [call["at"] for call in simulator.calls(SEARCH_PATH) if call["params"]["query"] == "slow down"]
        (apart,) = rows.execute(
            "SELECT extract(epoch FROM %s::timestamptz - %s::timestamptz)", (times[2], times[1])
        ).fetchone()
        assert apart >= 2

    @pytest.mark.slow
    def test_goes_on_by_itself_where_it_names_no_time(self, fleet, rows, simulator):
        simulator.set_fault("status", status=429, match={"query": "too fast"}, after=1, times=3)
        job_id = walk(rows, "too fast")
        assert_complete(rows, job_id, "too fast")
        assert {outcome for outcome, _ in attempts(rows, job_id)} == {"wait", "completed"}
        assert task(rows, job_id)["failures"] == 0

    @pytest.mark.parametrize("name", WAITS)
    def test_says_why_holds_every_job_and_goes_on_when_it_is_mended(
        self, fleet, rows, simulator, module_redis_url, name
    ):
        bad, word, other = WAITS[name], f"wait {name}", f"also {name}"
        # Given a provider that refuses everybody, from the second page on
        simulator.set_fault(bad.kind, match={"query": word}, after=1, **bad.wishes)
        # When a job meets it
        job_id = put_in(rows, word)
        eventually(lambda: state(rows, job_id) == "waiting")
        # Then its task says why
        assert task(rows, job_id)["wait_reason"] == bad.reason
        assert bad.words in told(rows, job_id)
        # And a job that comes now waits too, without a call, and says the same
        held = put_in(rows, other)
        eventually(lambda: state(rows, held) == "waiting")
        assert attempts(rows, held)[0] == ("wait", "breaker_open")
        assert bad.words in told(rows, held)
        assert cursors_asked(simulator, other) == []
        # When it is looked at again and nothing was mended
        reopen(rows, module_redis_url)
        eventually(lambda: attempts(rows, job_id).count(("wait", bad.reason)) == 2)
        # Then it waits on, and no attempt is spent
        assert {outcome for outcome, _ in attempts(rows, job_id)} == {"wait"}
        assert task(rows, job_id)["failures"] == 0
        # When it is mended
        simulator.clear_faults()
        reopen(rows, module_redis_url)
        eventually(lambda: is_final(rows, job_id) and is_final(rows, held))
        # Then nothing was lost
        assert_complete(rows, job_id, word)
        assert_complete(rows, held, other)
        assert task(rows, job_id)["waits"] == 0

    def test_hears_of_an_empty_balance_while_profiles_are_looked_up(
        self, fleet: Fleet, rows, simulator, module_redis_url
    ):
        # Given a balance that is empty when the first page's profiles are looked up
        simulator.set_fault("status", PROFILE_PATH, status=402)
        # When a job walks
        job_id = put_in(rows, "poor profiles", target_results=20, search_params={"enrich": "inline"})
        eventually(lambda: is_final(rows, job_id) or state(rows, job_id) == "waiting")
        # Then it waits for the balance, as for a search: its creators are not stored thin for good
        assert task(rows, job_id)["wait_reason"] == "out_of_credits"
        simulator.clear_faults()
        reopen(rows, module_redis_url)
        eventually(lambda: is_final(rows, job_id))
        assert {creator["enhancementStatus"] for creator in stored_creators(rows, job_id)} == {"completed"}
