"""What a slice does when a limit or a provider holds it back."""

from datetime import timedelta
from types import SimpleNamespace

import pytest

from actors.deciding import decide
from platforms.outcome import Judgement, Outcome
from worker.job_states import Ending
from worker.limits.contract import Hindrance
from worker.settings import Settings

SETTINGS = Settings(_env_file=None)


def lease(**changes):
    return SimpleNamespace(**{"failures": 0, "waits": 0, "max_failures": None, **changes})


@pytest.mark.parametrize("hindrance", [Hindrance.RATE, Hindrance.BREAKER, Hindrance.BUDGET])
@pytest.mark.parametrize("waits", [0, 10_000])
def test_a_limit_of_ours_is_a_wait_of_the_told_length_however_often(hindrance, waits):
    outcome = Outcome.FAIL_OVER if hindrance is Hindrance.BREAKER else Outcome.WAIT
    decision = decide(Judgement(outcome, hindrance, "why", timedelta(seconds=7)), lease(waits=waits), SETTINGS)
    assert (decision.ending, decision.reason, decision.detail) == (Ending.WAIT, hindrance.value, "why")
    assert decision.delay == timedelta(seconds=7)


def test_the_job_s_own_cap_completes_it():
    decision = decide(Judgement(Outcome.WAIT, Hindrance.CREDIT_LIMIT, "", timedelta(0)), lease(), SETTINGS)
    assert (decision.ending, decision.reason) == (Ending.COMPLETED, "credit_limit")


def test_to_go_to_another_provider_with_a_time_to_come_back_is_a_wait_and_without_one_an_attempt():
    wait = decide(Judgement(Outcome.FAIL_OVER, "away", "", timedelta(minutes=1)), lease(), SETTINGS)
    retry = decide(Judgement(Outcome.FAIL_OVER, "away"), lease(), SETTINGS)
    assert (wait.ending, retry.ending) == (Ending.WAIT, Ending.RETRY)


def test_a_provider_that_makes_wait_for_ever_is_given_up_in_the_end():
    judgement = Judgement(Outcome.RATE_LIMITED, "rate_limited")
    assert decide(judgement, lease(waits=SETTINGS.max_waits - 2), SETTINGS).ending is Ending.WAIT
    assert decide(judgement, lease(waits=SETTINGS.max_waits), SETTINGS).ending is Ending.ERROR
