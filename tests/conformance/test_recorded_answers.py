"""The adapters on answers that the provider really gave, where a folder of them lies beside the repository."""

import json
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from platforms import cursor, paging
from platforms.contract import Query, SearchKind
from platforms.outcome import Outcome
from platforms.pages import Item, Response, start_walk
from platforms.profile import Provenance
from platforms.scrapecreators.tiktok.content_search import TikTokContentSearch
from platforms.scrapecreators.tiktok.profile import ProfileLookup
from worker.errors import ShapeError

FOLDER = Path(__file__).parents[3] / "shared" / "samples" / "scrapecreators"
NOW = datetime(2026, 3, 1, tzinfo=UTC)
QUERY = Query("tiktok", SearchKind.KEYWORD, keywords=("airpods pro",))
ADAPTER, PROFILE = TikTokContentSearch(), ProfileLookup()
KEYWORD = ADAPTER.sources["search"]
WALK = start_walk("search", "airpods pro", 0)

SOMEONE = Item("1", "2", "someone", None)

pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="no recorded answers beside the repository")


def names(pattern):
    return sorted(path.name for path in FOLDER.glob(pattern)) or ["none"]


def recorded(name):
    return Response(200, {"content-type": "application/json"}, (FOLDER / name).read_bytes())


def creator(item, profile=None):
    return ADAPTER.normalise(item, profile, "skipped", Provenance("scrapecreators", "x", 1, NOW, 1))


def test_the_four_page_walk_gives_exactly_the_creators_that_the_files_hold():
    # Given
    files = [f"tiktok_search_keyword{part}.json" for part in ("", "__page2", "__page3", "__page4")]
    bodies = [json.loads((FOLDER / name).read_bytes()) for name in files]
    held = {hit["aweme_info"]["author"]["uid"] for body in bodies for hit in body["search_item_list"]}
    # When
    envelope, seen = cursor.start(QUERY, ADAPTER, NOW), {}
    for name in [*files, "tiktok_search_keyword__end_no_list.json"]:
        walk = envelope.walks[0]
        page = KEYWORD.parse(recorded(name), QUERY, walk)
        fresh = {item.creator_id: item for item in page.items if item.creator_id not in seen}
        seen |= fresh
        envelope = cursor.with_walk(envelope, 0, paging.advance(walk, page, len(fresh)))
    # Then
    assert set(seen) == held
    assert len(seen) == 90
    assert (envelope.walks[0].ordinal, envelope.walks[0].end_reason) == (5, "exhausted")


@pytest.mark.parametrize("name", names("tiktok_search_keyword*.json"))
def test_each_recorded_search_page_is_read_whole(name):
    # Given
    response = recorded(name)
    hits = json.loads(response.body).get("search_item_list") or []
    assert KEYWORD.judge(response).outcome is Outcome.OK
    if hits and "aweme_info" not in hits[0]:
        # When a trimmed page comes, Then it is refused and not guessed at.
        with pytest.raises(ShapeError) as caught:
            KEYWORD.parse(response, QUERY, WALK)
        assert caught.value.reason == "all_items_unreadable"
        return
    # When
    page = KEYWORD.parse(response, QUERY, WALK)
    creators = [creator(item) for item in page.items]
    # Then
    assert page.unreadable == ()
    assert page.ended is (not hits)
    assert [item.content_id for item in page.items] == [hit["aweme_info"]["aweme_id"] for hit in hits]
    assert all(urlsplit(one.creator.avatar_url).path.endswith(".jpeg") for one in creators)
    assert all(one.provenance.unknown == [] for one in creators)
    assert all(tag.startswith("#") and len(tag) > 1 for one in creators for tag in one.hashtags)


@pytest.mark.parametrize(
    "name", [name for name in names("tiktok_profile*.json") if "_videos" not in name and "_region" not in name]
)
def test_each_recorded_profile_is_read(name):
    # Given
    response = recorded(name)
    told = json.loads(response.body)
    # When
    profiles, cost = PROFILE.parse(response, [SOMEONE])
    profile = profiles["1"]
    # Then
    assert PROFILE.judge(response).outcome is Outcome.OK
    assert cost == told.get("credits_charged", 1)
    if "user" not in told:
        assert profile.status == ("gone" if "account_deactivated" in told else "private")
        return
    exact = told["statsV2"] if "statsV2" in told else told["stats"]
    assert profile.status == "found"
    assert profile.followers == int(exact["followerCount"])
    assert profile.bio == told["user"]["signature"]
    assert profile.verified is told["user"]["verified"]
    assert urlsplit(profile.avatar_url).path.endswith(".jpeg")


def test_exact_counts_go_before_rounded_ones():
    profiles, _ = PROFILE.parse(recorded("tiktok_profile__negative_heart_count.json"), [SOMEONE])
    assert profiles["1"].followers == 54709491


EXPECTED = {
    "missing_parameter_2025": Outcome.STOP_JOB,
    "missing_parameter_2026": Outcome.STOP_JOB,
    "out_of_credits": Outcome.FIX_CONFIGURATION,
    "age_restricted": Outcome.SKIP_ITEM,
    "video_not_found": Outcome.NOT_FOUND,
    "channel_not_found_success_true": Outcome.NOT_FOUND,
    "unknown_route_html": Outcome.FIX_CONFIGURATION,
    "no_api_key": Outcome.FIX_CONFIGURATION,
}


def test_each_recorded_error_has_its_declared_outcome():
    errors = json.loads((FOLDER / "errors.json").read_bytes())
    judged = {}
    for error in errors:
        body = error["body"] if isinstance(error["body"], str) else json.dumps(error["body"])
        response = Response(error["status"], {"content-type": error["content_type"]}, body.encode())
        judged[error["name"]] = PROFILE.judge(response).outcome
        assert KEYWORD.judge(response).outcome in (judged[error["name"]], Outcome.STOP_JOB)
    assert judged == EXPECTED
