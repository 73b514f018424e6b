"""Instagram by ScrapeCreators on answers that the provider really gave or published, where they lie at hand."""

import json
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from platforms.contract import Query, SearchKind
from platforms.outcome import Outcome
from platforms.pages import Item, Response, start_walk
from platforms.profile import Provenance
from platforms.scrapecreators.instagram.content_search import InstagramContentSearch
from platforms.scrapecreators.instagram.profile import ProfileLookup
from platforms.scrapecreators.instagram.similar import InstagramSimilarSearch

FOLDER = Path(__file__).parents[3] / "shared" / "samples" / "scrapecreators"
ORIGINAL = FOLDER.parent / "original_platform" / "instagram_reels_creators.json"
CONTENT, SIMILAR, PROFILE = InstagramContentSearch(), InstagramSimilarSearch(), ProfileLookup()
QUERY = Query("instagram", SearchKind.KEYWORD, keywords=("dogs",))
SOMEONE = Item("1", "2", "someone", None)
PROVENANCE = Provenance("scrapecreators", "x", 1, datetime(2026, 3, 1, tzinfo=UTC), 1)
LISTS = {
    "instagram_reels_search.json": ("search", "reels", 2),
    "instagram_reels_search__v1.json": ("search", "reels", 2),
    "instagram_search_hashtag.json": ("hashtag", "posts", 2),
    "instagram_search_profiles.json": ("profiles", "profiles", 2),
}
PROFILES = {
    "instagram_profile.json": 80,
    "instagram_profile__docs.json": 1,
    "instagram_profile__trimmed.json": 1,
    "instagram_profile__cached.json": 1,
}
PRIVATE = "instagram_profile__no_related.json"
OTHER_ENDPOINTS = {
    "instagram_basic_profile.json",
    "instagram_search.json",
    "instagram_search_popular.json",
    "instagram_user_posts.json",
    "instagram_user_posts__trimmed.json",
    "instagram_user_reels.json",
}
"""Recorded too, of endpoints that nobody asks here."""

pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="no recorded answers beside the repository")


def recorded(name):
    return Response(200, {"content-type": "application/json"}, (FOLDER / name).read_bytes())


def test_every_recorded_answer_is_read_here_or_is_of_another_endpoint():
    names = {path.name for path in FOLDER.glob("instagram_*.json")}
    assert names == {*LISTS, *PROFILES, PRIVATE, *OTHER_ENDPOINTS}


@pytest.mark.parametrize("name", LISTS)
def test_each_recorded_search_page_is_read_whole(name):
    # Given
    source_name, key, following = LISTS[name]
    source, response = CONTENT.sources[source_name], recorded(name)
    told = json.loads(response.body)
    walk = start_walk(source_name, "dogs", 1)
    # When
    page = source.parse(response, QUERY, walk)
    creators = [CONTENT.normalise(item, None, "skipped", PROVENANCE) for item in page.items]
    # Then
    assert source.judge(response).outcome is Outcome.OK
    assert page.unreadable == ()
    assert (page.ended, page.next_cursor) == (False, following)
    assert page.credits == told.get("credits_charged", 1)
    assert [item.content_id for item in page.items] == [one["id"] for one in told[key]]
    owners = [one.get("owner", one) for one in told[key]]
    assert [one.creator.id for one in creators] == [owner["id"] for owner in owners]
    assert [one.creator.followers for one in creators] == [owner["follower_count"] for owner in owners]
    assert all(one.facts().private is False and one.facts().verified is not None for one in creators)
    assert all(tag.startswith("#") and len(tag) > 1 for one in creators for tag in one.hashtags)


def test_view_counts_are_read_where_they_are_and_unknown_where_they_are_not():
    def of(name):
        page = CONTENT.sources["search"].parse(recorded(name), QUERY, start_walk("search", "x", 1))
        return [CONTENT.normalise(item, None, "skipped", PROVENANCE) for item in page.items]

    told = [
        reel["video_play_count"]
        for reel in json.loads((FOLDER / "instagram_reels_search__v1.json").read_bytes())["reels"]
    ]
    assert [one.video.statistics.views for one in of("instagram_reels_search__v1.json")] == told
    assert {one.facts().views for one in of("instagram_reels_search.json")} == {None}


@pytest.mark.parametrize("name", [*PROFILES, PRIVATE])
def test_each_recorded_profile_is_read(name):
    # Given
    response = recorded(name)
    user = json.loads(response.body)["data"]["user"]
    # When
    profiles, cost = PROFILE.parse(response, [SOMEONE])
    profile = profiles[SOMEONE.key]
    # Then
    assert PROFILE.judge(response).outcome is Outcome.OK
    assert cost == (0 if "__cached" in name else 1)
    assert (profile.status, profile.handle, profile.bio) == ("found", user["username"], user["biography"])
    assert profile.followers == user["edge_followed_by"]["count"]
    assert profile.following == user["edge_follow"]["count"]
    assert profile.posts == user["edge_owner_to_timeline_media"]["count"]
    assert profile.verified is user["is_verified"]
    assert profile.links == list(dict.fromkeys(link["url"] for link in user["bio_links"]))


@pytest.mark.parametrize("name", PROFILES)
def test_each_recorded_profile_gives_its_related_accounts(name):
    # Given
    response = recorded(name)
    user = json.loads(response.body)["data"]["user"]
    nodes = [edge["node"] for edge in user["edge_related_profiles"]["edges"]]
    source = SIMILAR.sources["related"]
    # When
    page = source.parse(response, QUERY, start_walk("related", user["username"], 0))
    creators = [SIMILAR.normalise(item, None, "skipped", PROVENANCE) for item in page.items]
    # Then
    assert source.judge(response).outcome is Outcome.OK
    assert len(nodes) >= PROFILES[name]
    assert page.ended
    told = [(one.id, one.username, one.is_private, one.is_verified, one.profile_pic_url) for one in creators]
    keys = ("id", "username", "is_private", "is_verified", "profile_pic_url")
    assert told == [tuple(node[key] for key in keys) for node in nodes]


def test_a_recorded_private_target_is_refused():
    judgement = SIMILAR.sources["related"].judge(recorded(PRIVATE))
    assert (judgement.outcome, judgement.rule) == (Outcome.STOP_JOB, "target_private")


def test_what_is_stored_has_every_key_of_what_the_application_stored():
    # Given
    stored = json.loads(ORIGINAL.read_bytes())["items"][0]
    response = recorded("instagram_reels_search.json")
    # When
    page = CONTENT.sources["search"].parse(response, QUERY, start_walk("search", "x", 1))
    ours = json.loads(msgspec.json.encode(CONTENT.normalise(page.items[0], None, "skipped", PROVENANCE)))
    # Then
    for part in ((), ("creator",), ("video",), ("video", "statistics")):
        old, new = stored, ours
        for key in part:
            old, new = old[key], new[key]
        assert set(old) <= set(new)
        for key, value in old.items():
            if key != "ownerId":  # A number there, text here: the digits of newer ids do not fit a JavaScript number.
                assert isinstance(new[key], type(value)), key
