"""Folders of recorded answers of any endpoint, served by the simulator."""

import json
from pathlib import Path

import httpx
import pytest

from platforms.contract import Query, SearchKind
from platforms.simulator.serving import Simulator
from platforms.simulator.settings import Settings
from tests.integration.simulated import adapter_of, page_of, providers_at

SAMPLES = Path(__file__).resolve().parents[3].parent / "shared" / "samples"
KEY = {"x-api-key": "k"}


@pytest.fixture
def folder(tmp_path):
    """A walk of two hashtag pages, two profiles, and the first page of the keyword walk that a folder needs."""
    answers = {
        "tiktok_search_keyword": {"search_item_list": []},
        "tiktok_search_hashtag": {"aweme_list": [1], "cursor": 12, "has_more": 1},
        "tiktok_search_hashtag__page2": {"aweme_list": [2], "cursor": 24, "has_more": 0},
        "instagram_profile": {"data": {"user": {"username": "Ada"}}},
        "instagram_profile__other": {"data": {"user": {"username": "bo"}}},
        "youtube_channel": {"channelId": "UCx", "handle": "@Cy"},
        "instagram_reels_search": {"reels": [1]},
        "instagram_reels_search__page2": {"reels": [2]},
    }
    for name, answer in answers.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(answer))
    return tmp_path


@pytest.fixture
def http(folder):
    with (
        Simulator(Settings(replay=folder)) as running,
        httpx.Client(base_url=running.url, headers=KEY) as client,
    ):
        yield client


def test_a_page_answers_the_marker_that_the_one_before_it_tells(http):
    pages = [http.get("/v1/tiktok/search/hashtag", params={"hashtag": "a", "cursor": at}).json() for at in (0, 12, 24)]
    assert [page["aweme_list"] for page in pages] == [[1], [2], []]
    assert pages[2]["has_more"] == 0


def test_pages_without_a_marker_are_asked_by_their_number(http):
    pages = [http.get("/v2/instagram/reels/search", params={"query": "a", "page": at}).json() for at in (1, 2, 3)]
    assert [page["reels"] for page in pages] == [[1], [2], []]


@pytest.mark.parametrize(
    ("path", "asked", "status"),
    [
        ("/v1/instagram/profile", {"handle": "ada"}, 200),
        ("/v1/instagram/profile", {"handle": "bo"}, 200),
        ("/v1/instagram/profile", {"handle": "nobody"}, 404),
        ("/v1/youtube/channel", {"channelId": "UCx"}, 200),
        ("/v1/youtube/channel", {"handle": "cy"}, 200),
        ("/v1/youtube/search", {"query": "not recorded"}, 404),
    ],
)
def test_a_look_up_is_found_by_what_it_holds(http, path, asked, status):
    assert http.get(path, params=asked).status_code == status


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="the recorded answers are not shipped with the repository")
@pytest.mark.parametrize(
    ("platform", "provider", "word", "items"),
    [
        ("youtube", "scrapecreators", "airpods pro", 20),
        ("youtube", "youtube_data_api", "surf", 25),
        ("instagram", "scrapecreators", "dogs", 3),
        ("instagram", "scrapecreators", "#funnydogs", 2),
        ("tiktok", "scrapecreators", "#fyp", 1),
    ],
)
async def test_the_recordings_of_all_providers_are_read_by_the_adapters(platform, provider, word, items):
    # Given the folder of all providers' recordings, each in a folder of its name
    with Simulator(Settings(replay=SAMPLES)) as running:
        async with providers_at(running.url) as providers:
            adapter, query = (
                adapter_of(platform, SearchKind.KEYWORD, provider),
                Query(platform, SearchKind.KEYWORD, (word,)),
            )
            # When the first page is asked for
            page = await page_of(providers, adapter, query, adapter.starts(query)[0])
    # Then it is the recorded one
    assert len(page.items) >= items
