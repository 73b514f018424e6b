"""The YouTube Data API on recorded answers, where a folder of them lies beside the repository."""

import json
from datetime import UTC, datetime
from html import unescape
from pathlib import Path

import pytest

from platforms import cursor, paging
from platforms.contract import Query, SearchKind
from platforms.outcome import Outcome
from platforms.pages import Item, Response
from platforms.profile import Provenance
from platforms.youtube_data_api.content_search import DataApiContentSearch
from platforms.youtube_data_api.similar import DataApiSimilar
from worker.errors import ShapeError

FOLDER = Path(__file__).parents[3] / "shared" / "samples" / "youtube_data_api"
NOW = datetime(2026, 3, 1, tzinfo=UTC)
QUERY = Query("youtube", SearchKind.KEYWORD, keywords=("surfing",))
ADAPTER, SIMILAR = DataApiContentSearch(), DataApiSimilar()
SEARCH, LOOKUP = ADAPTER.sources["search"], ADAPTER.profiles

pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="no recorded answers beside the repository")


def recorded(name):
    return Response(200, {"content-type": "application/json"}, (FOLDER / name).read_bytes())


def told(name):
    return json.loads((FOLDER / name).read_bytes())


def test_the_two_page_walk_gives_exactly_the_creators_that_the_files_hold():
    # Given
    files = ("search_list.json", "search_list__page2.json")
    held = {one["snippet"]["channelId"] for name in files for one in told(name)["items"]}
    # When
    walk, seen = cursor.start(QUERY, ADAPTER, NOW).walks[0], set()
    for name in files:
        page = SEARCH.parse(recorded(name), QUERY, walk)
        fresh = {item.creator_id for item in page.items} - seen
        seen |= fresh
        walk = paging.advance(walk, page, len(fresh))
    # Then
    assert seen == held
    assert (walk.ended, walk.ordinal, walk.cursor) == (False, 2, told(files[1])["nextPageToken"])


@pytest.mark.parametrize("name", ["search_list.json", "search_list__page2.json", "search_list__channels.json"])
def test_each_recorded_search_page_is_read_whole(name):
    # Given
    response = recorded(name)
    items = told(name)["items"]
    assert SEARCH.judge(response).outcome is Outcome.OK
    # When
    page = SEARCH.parse(response, QUERY, ADAPTER.starts(QUERY)[0])
    creators = [
        ADAPTER.normalise(item, None, "skipped", Provenance("youtube_data_api", "x", 1, NOW, 1)) for item in page.items
    ]
    # Then
    assert (page.unreadable, page.dropped, page.credits) == ((), 0, 100)
    assert [item.content_id for item in page.items] == [
        one["id"].get("videoId") or one["id"]["channelId"] for one in items
    ]
    for creator, one in zip(creators, items, strict=True):
        assert creator.creator.id == one["snippet"]["channelId"]
        assert creator.creator.name == unescape(one["snippet"]["channelTitle"])
        if "videoId" in one["id"]:
            assert creator.video.description == unescape(one["snippet"]["title"])
            assert creator.published_time.startswith(one["snippet"]["publishedAt"][:19])
        else:
            assert creator.creator.avatar_url == one["snippet"]["thumbnails"]["high"]["url"]


@pytest.mark.parametrize("name", ["channels_list.json", "channels_list__multi.json"])
def test_each_recorded_channel_is_read_whatever_its_place(name):
    # Given
    items = told(name)["items"]
    asked = [Item(one["id"], "x", "", None) for one in reversed(items)]
    assert LOOKUP.judge(recorded(name)).outcome is Outcome.OK
    # When
    profiles, cost = LOOKUP.parse(recorded(name), [*asked, Item("UCgoneGoneGoneGoneGoneGo", "x", "", None)])
    # Then
    assert cost == 1
    assert set(profiles) == {one["id"] for one in items}
    for one in items:
        profile = profiles[one["id"]]
        assert profile.followers == int(one["statistics"]["subscriberCount"])
        assert profile.views == int(one["statistics"]["viewCount"])
        assert f"@{profile.handle}" == one["snippet"]["customUrl"]
        assert profile.avatar_url == one["snippet"]["thumbnails"]["high"]["url"]


def test_a_recorded_target_opens_searches_by_its_own_words():
    query = Query("youtube", SearchKind.SIMILAR, target_username="@google")
    step = SIMILAR.sources["target"].parse(recorded("channels_list__multi.json"), query, SIMILAR.starts(query)[0])
    assert [walk.word for walk in step.walks][:4] == ["Technology", "Science", "Android", "Google app"]


@pytest.mark.parametrize(
    "name", ["videos_list.json", "videos_list__chart_page1.json", "videos_list__chart_page2_last.json"]
)
def test_answers_of_an_endpoint_that_is_not_asked_are_refused_and_not_guessed_at(name):
    with pytest.raises(ShapeError) as caught:
        SEARCH.parse(recorded(name), QUERY, ADAPTER.starts(QUERY)[0])
    assert caught.value.reason == "all_items_unreadable"


EXPECTED = {
    "keyInvalid": Outcome.FIX_CONFIGURATION,
    "permission_denied": Outcome.RETRY_NOW,
    "quotaExceeded": Outcome.WAIT,
    "rateLimitExceeded": Outcome.RATE_LIMITED,
    "rateLimitExceeded_429": Outcome.RATE_LIMITED,
    "invalidPageToken": Outcome.RESET_CURSOR,
    "backendError": Outcome.RETRY_NOW,
}


def test_each_recorded_error_has_its_declared_outcome():
    judged = {
        error["name"]: SEARCH.judge(Response(error["status"], {}, json.dumps(error["body"]).encode())).outcome
        for error in told("errors.json")
    }
    assert judged == EXPECTED
