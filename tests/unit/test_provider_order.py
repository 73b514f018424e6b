"""Which providers a search is given to."""

import pytest

from actors.provider_order import adapters_of, check_order
from platforms.query import read_query
from worker.errors import ConfigurationError, InvalidJob


def names(order, **params):
    query = read_query("TikTok", ["lamp"], None, "US", 10, params)
    return [adapter.capability.provider for adapter in adapters_of(query, order)]


def test_without_an_order_it_is_that_of_the_registry():
    assert names({}) == ["scrapecreators", "tiktok_research"]
    assert names({"youtube.keyword": ["youtube_data_api"]}) == ["scrapecreators", "tiktok_research"]


def test_the_settings_name_an_order_and_the_job_another():
    order = {"tiktok.keyword": ["tiktok_research"]}
    assert names(order) == ["tiktok_research"]
    assert names(order, provider="scrapecreators") == ["scrapecreators"]
    assert names(order, provider=["scrapecreators", "tiktok_research"]) == ["scrapecreators", "tiktok_research"]


def test_a_provider_that_cannot_serve_a_job_is_told_to_its_owner():
    with pytest.raises(InvalidJob, match="by apify is not supported"):
        names({}, provider="apify")


def test_an_order_that_fits_is_taken():
    check_order({"tiktok.keyword": ["tiktok_research", "scrapecreators"], "instagram.similar": ["apify"]})


def test_everything_wrong_in_an_order_is_told_at_once():
    with pytest.raises(ConfigurationError) as refused:
        check_order(
            {
                "myspace.keyword": ["apify"],
                "tiktok.keyword": ["nobody"],
                "youtube.similar": [],
                "youtube.keyword": ["scrapecreators", "scrapecreators"],
            }
        )
    told = str(refused.value).splitlines()
    assert [line.strip().split(": ")[0] for line in told[1:]] == ["TRAWLER_PROVIDERS"] * 4
    assert "expected one of tiktok.keyword" in told[1]
    assert "'nobody'" in told[2]
    assert "has no provider" in told[3]
    assert "twice" in told[4]
