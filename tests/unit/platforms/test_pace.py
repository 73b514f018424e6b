"""Quota headers read as plain numbers."""

import json
from datetime import timedelta

import pytest

from platforms.outcome import Judgement, Outcome
from platforms.pace import NOTHING, Pace, group_of, long_wait, pace_of

BUSINESS = {"1784": [{"type": "instagram", "call_count": 40, "total_time": 101, "estimated_time_to_regain_access": 7}]}


@pytest.mark.parametrize(
    ("provider", "headers", "expected"),
    [
        ("scrapecreators", {}, NOTHING),
        ("apify", {"x-ratelimit-limit": "60"}, NOTHING),
        ("apify", {"x-ratelimit-limit": "60", "x-ratelimit-remaining": "3"}, Pace(3, 60)),
        ("apify", {"x-ratelimit-remaining": "0", "x-ratelimit-reset-after": "12"}, Pace(0, None, 12)),
        ("apify", {"x-ratelimit-remaining": "many"}, NOTHING),
        ("apify", {"x-ratelimit-remaining": "nan"}, NOTHING),
        ("apify", {"x-ratelimit-remaining": "-1"}, NOTHING),
        ("instagram_graph", {"x-app-usage": '{"call_count":28,"total_time":85}'}, Pace(used=0.85)),
        ("instagram_graph", {"x-business-use-case-usage": json.dumps(BUSINESS)}, Pace(used=1.01, regain_seconds=420)),
        ("instagram_graph", {"x-app-usage": "{"}, NOTHING),
        ("instagram_graph", {"x-app-usage": "[1]"}, NOTHING),
        ("instagram_graph", {"x-business-use-case-usage": '{"1": 3, "2": [4]}'}, NOTHING),
        # A moment is never taken for seconds: only the name that says which is read.
        ("apify", {"x-ratelimit-remaining": "1", "x-ratelimit-reset": "1790000000"}, Pace(1)),
    ],
)
def test_headers_are_read_where_they_are_what_they_should_be(provider, headers, expected):
    assert pace_of(provider, headers) == expected


def test_endpoints_share_a_rate_only_where_the_provider_counts_them_together():
    assert group_of("scrapecreators", "tiktok/profile") == ""
    assert group_of("instagram_graph", "hashtag") == "hashtag"


@pytest.mark.parametrize(
    ("outcome", "wait", "expected"),
    [
        (Outcome.RATE_LIMITED, timedelta(hours=1), True),
        (Outcome.WAIT, timedelta(hours=9), True),
        (Outcome.RATE_LIMITED, timedelta(seconds=30), False),
        (Outcome.RATE_LIMITED, None, False),
        (Outcome.OK, timedelta(hours=1), False),
    ],
)
def test_a_rule_s_own_wait_is_a_quota_only_where_it_is_long(outcome, wait, expected):
    assert long_wait(Judgement(outcome, "rule", "", wait)) is expected
