"""TikTok hashtag and similar searches on answers that the provider really gave, where a folder of them is at hand."""

import json
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from platforms import cursor, paging
from platforms.contract import Query, SearchKind
from platforms.outcome import Outcome
from platforms.pages import Response, start_walk
from platforms.profile import Provenance
from platforms.scrapecreators.tiktok.content_search import TikTokContentSearch
from platforms.scrapecreators.tiktok.similar import TikTokSimilar
from platforms.scrapecreators.tiktok.trail import Trail
from worker.errors import ShapeError

FOLDER = Path(__file__).parents[3] / "shared" / "samples" / "scrapecreators"
NOW = datetime(2026, 3, 1, tzinfo=UTC)
CONTENT, SIMILAR = TikTokContentSearch(), TikTokSimilar()
KEYWORD_QUERY = Query("tiktok", SearchKind.KEYWORD, keywords=("#fyp",))
QUERY = Query("tiktok", SearchKind.SIMILAR, target_username="espn")
TRAIL = Trail(0, "6663294979903422470", 54_709_491, ["sports", "espn"])

pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="no recorded answers beside the repository")


def names(pattern, without=()):
    found = sorted(path.name for path in FOLDER.glob(pattern) if not any(word in path.name for word in without))
    return found or ["none"]


def recorded(name):
    return Response(200, {"content-type": "application/json"}, (FOLDER / name).read_bytes())


def stored(adapter, page):
    provenance = Provenance("scrapecreators", "x", 1, NOW, 1)
    return [adapter.normalise(item, None, "skipped", provenance) for item in page.items]


@pytest.mark.parametrize("name", names("tiktok_search_hashtag*.json"))
def test_each_recorded_hashtag_page_is_read_whole(name):
    # Given
    source, response = CONTENT.sources["hashtag"], recorded(name)
    body = json.loads(response.body)
    # When
    page = source.parse(response, KEYWORD_QUERY, start_walk("hashtag", "fyp", 0))
    # Then
    assert source.judge(response).outcome is Outcome.OK
    assert (page.unreadable, page.ended, page.credits) == ((), False, 1)
    assert page.next_cursor == body["cursor"]
    creators = stored(CONTENT, page)
    assert [one.video.id for one in creators] == [video["aweme_id"] for video in body["aweme_list"]]
    assert all(one.hashtags and one.video.statistics.views and one.creator.avatar_url for one in creators)
    # The authors of these answers come without their followers; the profile tells them.
    assert all(one.provenance.unknown == ["creator.followers"] for one in creators)


@pytest.mark.parametrize("name", names("tiktok_search_users*.json"))
def test_each_recorded_user_search_is_read_or_refused(name):
    # Given
    source, response = SIMILAR.sources["users"], recorded(name)
    users = json.loads(response.body)["users"]
    walk = start_walk("users", "sports", TRAIL.text)
    assert source.judge(response).outcome is Outcome.OK
    if "user_info" not in users[0]:
        # When a trimmed page comes, Then it is refused and not guessed at.
        with pytest.raises(ShapeError) as caught:
            source.parse(response, QUERY, walk)
        assert caught.value.reason == "all_items_unreadable"
        return
    # When
    page = source.parse(response, QUERY, walk)
    # Then
    told = {user["user_info"]["uid"]: user["user_info"] for user in users}
    others = told.keys() - {TRAIL.uid}
    assert page.unreadable == ()
    assert {item.creator_id for item in page.items} == others
    assert page.dropped == len(told) - len(others)
    assert not page.ended
    for one in stored(SIMILAR, page):
        account = told[one.id]
        assert (one.username, one.follower_count) == (account["unique_id"], account["follower_count"])
        assert one.video_count == account["aweme_count"]
        assert one.is_verified is bool(account["custom_verify"] or account["enterprise_verify_reason"])
        assert urlsplit(one.profile_pic_url).path.endswith(".jpeg")


def test_a_recorded_user_search_comes_with_the_best_match_first():
    page = SIMILAR.sources["users"].parse(
        recorded("tiktok_search_users.json"), QUERY, start_walk("users", "sports", TRAIL.text)
    )
    handles = [item.handle for item in page.items]
    # Accounts that say the word come before those that do not, and of these the larger ones, as the target is large.
    assert handles[0] == "barstoolsports"
    assert set(handles[-6:]) >= {"laliga", "nba", "olympics", "fifaworldcup", "championsleague"}


@pytest.mark.parametrize("name", names("tiktok_user_following*.json"))
def test_each_recorded_list_of_followings_is_read_whole(name):
    # Given
    source, response = SIMILAR.sources["followings"], recorded(name)
    body = json.loads(response.body)
    # When
    page = source.parse(response, QUERY, start_walk("followings", "espn", TRAIL.text))
    # Then
    told = {user["uid"]: user for user in body["followings"]}
    assert source.judge(response).outcome is Outcome.OK
    assert (page.unreadable, page.dropped, page.ended) == ((), 0, False)
    assert json.loads(page.next_cursor)["at"] == body["min_time"]
    assert {item.creator_id for item in page.items} == told.keys()
    for one in stored(SIMILAR, page):
        assert (one.bio, one.country) == (told[one.id]["signature"], told[one.id]["region"])


@pytest.mark.parametrize("name", names("tiktok_profile*.json", without=("_videos", "_region")))
def test_each_recorded_profile_as_a_target_opens_walks_or_ends_the_job(name):
    # Given
    source, response = SIMILAR.sources["target"], recorded(name)
    user = json.loads(response.body).get("user")
    judgement = source.judge(response)
    if user is None:
        assert judgement.outcome is Outcome.STOP_JOB
        assert judgement.rule == ("target_missing" if "deactivated" in name else "target_private")
        return
    # When
    envelope = cursor.start(QUERY, SIMILAR, NOW)
    page = source.parse(response, QUERY, envelope.walks[0])
    envelope = cursor.with_walk(envelope, 0, paging.advance(envelope.walks[0], page, 0), NOW, page.walks)
    # Then
    assert judgement.outcome is Outcome.OK
    words = [walk.word for walk in envelope.walks if walk.source == "users"]
    assert 1 <= len(words) <= 5
    assert envelope.walks[-1].source == "followings"
    assert envelope.walks[-1].word == user["uniqueId"]
    said = f"{user['nickname']} {user['uniqueId']} {user['signature']}".lower()
    assert all(word in said for word in words)
