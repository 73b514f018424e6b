"""The simulator's limits: buckets and quotas, with a clock of the test's own."""

import pytest

from platforms.simulator.endpoint import Why
from platforms.simulator.limits import Exceeded, Limit, Limits


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


def admitted(limits, calls, account="key", path="/v1/x", units=1):
    """How many of so many calls at one moment are let through."""
    through = 0
    for _ in range(calls):
        try:
            limits.admit("scrapecreators", path, account, units)
        except Exceeded:
            continue
        through += 1
    return through


def test_a_rate_lets_through_a_burst_and_then_so_many_a_second(clock):
    # Given five a second
    limits = Limits((Limit("/v1", per_second=5),), clock)
    # When forty calls come at once, and forty again one second and then ten seconds later
    counts = []
    for pause in (0, 1, 10):
        clock.now += pause
        counts.append(admitted(limits, 40))
    # Then each time no more than a second's worth passes, and all are counted
    assert counts == [5, 5, 5]
    assert limits.report()[0]["accounts"] == {"key": {"allowed": 15, "refused": 105, "today": 0}}


def test_a_rate_that_is_lowered_counts_from_then_on_and_keeps_its_counts(clock):
    limits = Limits((Limit("/v1", per_second=5),), clock)
    assert admitted(limits, 3) == 3
    # When five a second become two, with three of five used
    limits.set(Limit("/v1", per_second=2))
    # Then what is left is at most two, and two more come a second
    assert admitted(limits, 9) == 2
    clock.now += 1
    assert admitted(limits, 9) == 2
    assert limits.report()[0]["accounts"]["key"]["allowed"] == 7


def test_each_account_has_its_own_bucket(clock):
    limits = Limits((Limit("scrapecreators", per_second=2),), clock)
    assert [admitted(limits, 5, account) for account in ("one", "other")] == [2, 2]


def test_the_longest_path_decides(clock):
    limits = Limits((Limit("scrapecreators", per_second=1), Limit("/v1/youtube", per_second=3)), clock)
    assert admitted(limits, 9, path="/v1/youtube/search") == 3
    assert admitted(limits, 9, path="/v1/tiktok/profile") == 1


def test_a_quota_is_of_units_and_comes_back_on_a_new_day(clock):
    limits = Limits((Limit("/v1", per_day=10),), clock)
    assert admitted(limits, 9, units=3) == 3
    assert limits.used("scrapecreators", "/v1/x", "key") == 0.9
    with pytest.raises(Exceeded) as refused:
        limits.admit("scrapecreators", "/v1/x", "key", 3)
    assert refused.value.why is Why.QUOTA
    limits.new_day()
    assert admitted(limits, 9, units=3) == 3


@pytest.mark.parametrize(("told", "header"), [(None, None), (7, "7"), ("seconds", "2")])
def test_a_refusal_tells_the_time_it_was_told_to_tell(clock, told, header):
    limits = Limits((Limit("/v1", per_second=0.5, burst=1, retry_after=told),), clock)
    admitted(limits, 1)
    with pytest.raises(Exceeded) as refused:
        limits.admit("scrapecreators", "/v1/x", "key", 1)
    assert refused.value.wait == 2
    assert refused.value.headers.get("Retry-After") == header


def test_a_reset_leaves_only_the_built_in_rules(clock):
    limits = Limits((Limit("/v1", per_second=5),), clock)
    limits.set(Limit("/v1", per_second=1))
    limits.set(Limit("/v2", per_second=1))
    limits.reset()
    assert [(rule["path"], rule["per_second"], rule["accounts"]) for rule in limits.report()] == [("/v1", 5, {})]
