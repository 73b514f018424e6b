"""A row's raw values read as a query."""

import pytest

from platforms.contract import Query, SearchKind
from platforms.params import unknown_params
from platforms.query import read_query
from worker.errors import InvalidJob


def read(**changes):
    row = {
        "platform": "TikTok",
        "keywords": ["coffee"],
        "target_username": None,
        "region": "US",
        "target_results": 100,
        "search_params": None,
    }
    return read_query(**(row | changes))


def test_a_plain_row_becomes_a_keyword_query():
    assert read() == Query("tiktok", SearchKind.KEYWORD, keywords=("coffee",))


@pytest.mark.parametrize("platform", ["TikTok", "Tiktok", "TIKTOK", " tiktok "])
def test_the_casing_of_a_platform_does_not_matter(platform):
    assert read(platform=platform).platform == "tiktok"


def test_keywords_are_cleaned_and_repeats_dropped():
    keywords = ["  Home\t gym\n", "home GYM", "", " \x00 ", "yo\x07ga", "café", "\ud800x"]
    assert read(keywords=keywords).keywords == ("Home gym", "yoga", "café", "\ufffdx")


def test_keywords_keep_the_order_of_their_first_appearance():
    assert read(keywords=["b", "a", "B", "c"]).keywords == ("b", "a", "c")


@pytest.mark.parametrize(
    "target",
    [
        "nike",
        "@nike",
        "  @nike ",
        "https://www.tiktok.com/@nike?lang=en",
        "tiktok.com/@nike/video/1",
        "https://www.instagram.com/nike/",
        "https://youtube.com/channel/nike#about",
        "//www.youtube.com/@nike",
        "nike?x=1",
    ],
)
def test_a_target_user_makes_a_similar_query_however_it_was_pasted(target):
    query = read(target_username=target)
    assert (query.kind, query.target_username, query.keywords) == (SearchKind.SIMILAR, "nike", ())


def test_search_params_are_read():
    params = {"dedupe": "VIDEO", "enrich": "none", "sort_by": "most-liked", "keywords": "joined", "provider": "x"}
    query = read(search_params=params)
    assert (query.dedupe, query.enrich) == ("video", "none")
    assert query.options == {"sort_by": "most-liked", "keywords": "joined"}
    assert query.providers == ("x",)


def test_unknown_search_params_are_ignored_and_listed():
    params = {"dedupe": "creator", "zeal": 1, "amount": 2}
    assert read(search_params=params) == read()
    assert unknown_params(params) == ["amount", "zeal"]
    assert unknown_params(None) == unknown_params("x") == []


@pytest.mark.parametrize(("region", "read_as"), [(None, "US"), ("", "US"), (" gb ", "GB")])
def test_a_region_is_two_capital_letters(region, read_as):
    assert read(region=region).region == read_as


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"platform": "Myspace"}, 'platform is "Myspace"; expected one of TikTok'),
        ({"keywords": None}, "neither keywords nor target_username"),
        ({"keywords": [], "target_username": "  "}, "neither keywords nor target_username"),
        ({"keywords": "coffee"}, 'keywords is "coffee"; expected an array of strings'),
        ({"keywords": {"a": 1}}, "expected an array of strings"),
        ({"keywords": ["a", 1]}, "expected an array of strings"),
        ({"keywords": [" ", "\x00"]}, "at least one word"),
        ({"keywords": [f"word {n}" for n in range(51)]}, "51 different words; expected at most 50"),
        ({"keywords": ["x" * 201]}, "at most 200 characters"),
        ({"target_results": 0}, "target_results is 0; expected a whole number above 0"),
        ({"target_results": -5}, "above 0"),
        ({"target_results": "many"}, "above 0"),
        ({"target_results": True}, "above 0"),
        ({"search_params": [1]}, "search_params is [1]; expected an object"),
        ({"search_params": "{}"}, "expected an object"),
        ({"search_params": {"dedupe": "handle"}}, 'search_params.dedupe is "handle"; expected creator or video'),
        ({"search_params": {"enrich": 1}}, "expected inline or none"),
        ({"search_params": {"keywords": "all"}}, "expected separate or joined"),
        ({"search_params": {"sort_by": 1}}, "a string that is not blank"),
        ({"region": "USA"}, "two letters"),
        ({"region": 5}, "two letters"),
        ({"target_username": 5}, "expected one username"),
        ({"target_username": "@"}, "expected one username"),
        ({"target_username": "two words"}, "expected one username"),
        ({"target_username": "https://www.tiktok.com/"}, "expected one username"),
        ({"target_username": "http://[bad"}, "expected one username"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_row_that_cannot_be_done_is_refused_in_three_parts(changes, told):
    with pytest.raises(InvalidJob) as caught:
        read(**changes)
    text = str(caught.value)
    assert told in text
    assert "expected" in text
    assert "set the job to pending again" in text or "Set keywords" in text
    assert len(text) < 400
