"""Options and filters of ``search_params``."""

from datetime import UTC, datetime, timedelta

import pytest

from platforms.contract import SearchKind
from platforms.filters import NO_FILTERS, Filters, may_pass, passes
from platforms.normalise.facts import Facts
from platforms.params import Params
from platforms.query import read_query
from platforms.words import words_of
from worker.errors import InvalidJob

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def query_of(words, **params):
    return read_query("tiktok", words, None, None, 10, params)


class TestWords:
    def test_a_word_with_a_hash_is_a_hashtag(self):
        assert list(words_of(query_of(["desk lamp", "#Desk Setup", "＃ランプ"]))) == [
            ("keyword", "desk lamp"),
            ("hashtag", "DeskSetup"),
            ("hashtag", "ランプ"),
        ]

    def test_the_kind_says_what_plain_words_are(self):
        tags = words_of(query_of(["desk lamp", "#a"], kind="hashtag"))
        assert list(tags) == [("hashtag", "desklamp"), ("hashtag", "a")]
        assert list(words_of(query_of(["desk lamp"], kind="Profiles"))) == [("profiles", "desk lamp")]

    def test_joined_words_are_one_and_hashtags_stay_apart(self):
        joined = query_of(["a", "#b", "c"], keywords="joined")
        assert list(words_of(joined)) == [("hashtag", "b"), ("keyword", "a c")]

    def test_a_hash_alone_is_refused(self):
        with pytest.raises(InvalidJob, match=r"expected a hashtag with at least one letter"):
            list(words_of(query_of(["# #"])))

    def test_a_target_goes_before_words(self):
        assert read_query("tiktok", ["a"], "@nike", None, 10, None).kind is SearchKind.SIMILAR


class TestParams:
    def test_filters_are_read(self):
        filters = Params(
            {
                "min_followers": 10,
                "max_followers": 20,
                "verified": True,
                "has_email": False,
                "bio_contains": ["Lamp", "DESK"],
                "countries": "us",
                "posted_within_days": 7,
            }
        ).filters()
        assert filters == Filters(
            min_followers=10,
            max_followers=20,
            verified=True,
            has_email=False,
            bio_contains=("lamp", "desk"),
            countries=("US",),
            posted_within=timedelta(days=7),
        )
        assert Params({}).filters() == Params(None).filters() == NO_FILTERS

    def test_providers_may_be_one_or_several(self):
        assert Params({"provider": "a"}).providers() == ("a",)
        assert Params({"provider": ["b", "a", "b"]}).providers() == ("b", "a")

    @pytest.mark.parametrize(
        ("params", "text"),
        [
            ({"min_followers": -1}, "search_params.min_followers is -1; expected a whole number of at least 0"),
            ({"max_followers": "many"}, 'search_params.max_followers is "many"; expected a whole number'),
            ({"min_likes": True}, "search_params.min_likes is true; expected a whole number"),
            ({"max_api_calls": 0}, "search_params.max_api_calls is 0; expected a whole number of at least 1"),
            ({"verified": "yes"}, 'search_params.verified is "yes"; expected true or false'),
            ({"countries": ["US", 5]}, "search_params.countries is 5; expected a string"),
            ({"provider": [" "]}, r'search_params.provider is " "; expected a string that is not blank'),
            ({"kind": "people"}, 'search_params.kind is "people"; expected keyword or hashtag or profiles'),
        ],
    )
    def test_a_wrong_value_is_told_with_what_is_expected(self, params, text):
        with pytest.raises(InvalidJob, match=text):
            query_of(["a"], **params)


def facts(**changes) -> Facts:
    return Facts(**{"followers": 100, "verified": False, "emails": (), "bio": "Desk lamps", "country": "US", **changes})


class TestFilters:
    @pytest.mark.parametrize(
        ("filters", "kept"),
        [
            (Filters(min_followers=100), True),
            (Filters(min_followers=101), False),
            (Filters(max_followers=100), True),
            (Filters(max_followers=99), False),
            (Filters(verified=False), True),
            (Filters(verified=True), False),
            (Filters(has_email=False), True),
            (Filters(has_email=True), False),
            (Filters(private=False), False),
            (Filters(bio_contains=("lamp",)), True),
            (Filters(bio_contains=("chair", "desk")), True),
            (Filters(bio_contains=("chair",)), False),
            (Filters(countries=("GB", "US")), True),
            (Filters(countries=("GB",)), False),
            (Filters(min_views=1), False),
            (Filters(posted_within=timedelta(days=1)), False),
        ],
    )
    def test_all_must_hold_and_what_is_unknown_passes_none(self, filters, kept):
        assert passes(filters, facts(), NOW) is kept

    def test_content_is_as_old_as_it_was_published(self):
        week = Filters(posted_within=timedelta(days=7))
        assert passes(week, facts(posted_at=NOW - timedelta(days=7)), NOW)
        assert not passes(week, facts(posted_at=NOW - timedelta(days=7, seconds=1)), NOW)

    def test_a_creator_that_cannot_pass_is_not_looked_up(self):
        assert not may_pass(Filters(min_followers=101), facts())
        assert may_pass(Filters(min_followers=101, has_email=True), facts(followers=None))
        assert may_pass(Filters(has_email=True), facts())
