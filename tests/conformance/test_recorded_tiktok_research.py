"""TikTok's Research API on the answers that its documents and clients show, where a folder of them is at hand."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from platforms.contract import Query, SearchKind
from platforms.outcome import Outcome
from platforms.pages import Item, Response
from platforms.profile import Provenance
from platforms.tiktok_research.content_search import TikTokResearchSearch
from worker.errors import ShapeError

FOLDER = Path(__file__).parents[3] / "shared" / "samples" / "tiktok_research"
NOW = datetime(2026, 3, 1, tzinfo=UTC)
ADAPTER = TikTokResearchSearch()
QUERY = Query("tiktok", SearchKind.KEYWORD, keywords=("#avengers",))
WALK = ADAPTER.starts(QUERY)[0]
SOURCE = ADAPTER.sources[WALK.source]

pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="no recorded answers beside the repository")


def recorded(name):
    return Response(200, {"content-type": "application/json"}, (FOLDER / name).read_bytes())


def test_a_page_that_was_not_asked_for_usernames_is_refused():
    response = recorded("video_query.json")
    assert SOURCE.judge(response).outcome is Outcome.OK
    with pytest.raises(ShapeError) as caught:
        SOURCE.parse(response, QUERY, WALK)
    assert caught.value.reason == "all_items_unreadable"


def test_the_published_page_with_usernames_is_read_whole():
    # Given
    body = json.loads(recorded("video_query.json").body)
    for video in body["data"]["videos"]:
        video["username"] = "avenger"
    # When
    page = SOURCE.parse(Response(200, {}, json.dumps(body).encode()), QUERY, WALK)
    made = ADAPTER.normalise(page.items[0], None, "skipped", Provenance("tiktok_research", "x", 1, NOW, 1))
    # Then
    assert (len(page.items), page.unreadable, page.ended) == (2, (), False)
    assert page.items[0].key == page.items[1].key == "@avenger"
    assert json.loads(page.next_cursor)["search_id"] == "7201388525814961198"
    assert made.video.id == "702874395068494965"
    assert made.hashtags == ["#avengers", "#pov"]
    assert (made.video.statistics.views, made.video.statistics.comments, made.country) == (1050, 2, "CA")
    assert made.provenance.unknown == ["creator.followers", "video.statistics.likes", "video.statistics.shares"]


def test_our_request_has_the_published_one_s_shape():
    published = json.loads((FOLDER / "video_query__request.json").read_bytes())
    body = json.loads(SOURCE.request(QUERY, WALK).body)
    assert set(body) == set(published)
    assert {key: type(value) for key, value in body.items()} == {key: type(value) for key, value in published.items()}
    assert set(body["query"]["and"][0]) == set(published["query"]["and"][0])


def test_the_published_account_is_read():
    response = recorded("user_info.json")
    profiles, cost = ADAPTER.profiles.parse(response, [Item("", "7", "someone", None)])
    profile = profiles["@someone"]
    assert ADAPTER.profiles.judge(response).outcome is Outcome.OK
    assert (profile.bio, profile.name, profile.followers, profile.posts) == ("my_bio", "my nick name", 232, 44)
    assert (profile.likes, profile.verified, cost) == (27_155_089, False, 1)


EXPECTED = {
    "invalid_params_search_id": Outcome.RESET_CURSOR,
    "invalid_params_cursor": Outcome.RESET_CURSOR,
    "access_token_invalid": Outcome.FIX_CONFIGURATION,
    "scope_not_authorized": Outcome.FIX_CONFIGURATION,
    "rate_limit_exceeded": Outcome.RATE_LIMITED,
    "daily_quota_limit_exceeded": Outcome.WAIT,
    "internal_error": Outcome.RETRY_NOW,
    "oauth_invalid_client_http_200": Outcome.FIX_CONFIGURATION,
}


def test_each_known_error_has_its_declared_outcome_and_keeps_its_log_id():
    judged = {}
    for error in json.loads((FOLDER / "errors.json").read_bytes()):
        response = Response(error["status"], {}, json.dumps(error["body"]).encode())
        judgement = SOURCE.judge(response)
        assert "log_id 2022" in judgement.message
        judged[error["name"]] = judgement.outcome
    assert judged == EXPECTED
