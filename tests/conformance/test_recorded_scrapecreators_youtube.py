"""YouTube on answers that ScrapeCreators really gave, where a folder of them lies beside the repository."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from platforms.contract import Query, SearchKind
from platforms.normalise.numbers import count
from platforms.outcome import Outcome
from platforms.pages import Item, Response, start_walk
from platforms.profile import Provenance
from platforms.scrapecreators.youtube.channel import ChannelLookup
from platforms.scrapecreators.youtube.content_search import YouTubeContentSearch
from platforms.scrapecreators.youtube.similar import YouTubeSimilar
from worker.errors import ShapeError

FOLDER = Path(__file__).parents[3] / "shared" / "samples" / "scrapecreators"
NOW = datetime(2026, 3, 1, tzinfo=UTC)
QUERY = Query("youtube", SearchKind.KEYWORD, keywords=("airpods pro",))
CONTENT, SIMILAR, LOOKUP = YouTubeContentSearch(), YouTubeSimilar(), ChannelLookup()
SOMEONE = Item("UCeysIZV7YCOoSJNQc9pgbXQ", "1", "someone", None)

pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="no recorded answers beside the repository")


def names(pattern):
    return sorted(path.name for path in FOLDER.glob(pattern)) or ["none"]


def recorded(name):
    return Response(200, {"content-type": "application/json"}, (FOLDER / name).read_bytes())


def provenance():
    return Provenance("scrapecreators", "x", 1, NOW, 1)


def parsed(name, source="search"):
    read, response = CONTENT.sources[source], recorded(name)
    assert read.judge(response).outcome is Outcome.OK
    return read.parse(response, QUERY, start_walk(source, "airpods pro", ""))


@pytest.mark.parametrize("name", [name for name in names("youtube_search*.json") if "hashtag" not in name])
def test_each_recorded_search_page_is_read_whole(name):
    # Given
    told = json.loads((FOLDER / name).read_bytes())
    shelved = [item for shelf in told["shelves"] for item in shelf["items"]]
    named = [item for item in shelved if item.get("channel")]
    listed = [*told["videos"], *told["shorts"], *told["lives"], *told["channels"]]
    # When
    page = parsed(name)
    creators = [CONTENT.normalise(item, None, "skipped", provenance()) for item in page.items]
    # Then
    assert [item.content_id for item in page.items] == [one["id"] for one in [*listed, *named]]
    assert (page.unreadable, page.dropped) == ((), len(shelved) - len(named))
    assert (page.next_cursor, page.ended) == (told["continuationToken"], False)
    assert all(item.creator_id.startswith("UC") and len(item.creator_id) == 24 for item in page.items)
    assert all("/" not in item.handle and not item.handle.startswith("@") for item in page.items)
    assert all(one.creator.name and one.creator.avatar_url for one in creators)
    for one, item in zip(creators, [*listed, *named], strict=True):
        assert one.video.statistics.views == (item.get("viewCountInt") or 0)
        assert one.creator.followers == (item.get("subscriberCountInt") or 0)


def test_the_rounded_and_the_exact_texts_of_counters_agree_with_the_numbers():
    seen = 0
    for name in names("youtube_search*.json"):
        told = json.loads((FOLDER / name).read_bytes())
        shelved = [item for shelf in told.get("shelves", []) for item in shelf["items"]]
        for item in [*told["videos"], *told.get("shorts", []), *told.get("lives", []), *shelved]:
            assert count(item["viewCountText"]) == item["viewCountInt"]
            seen += 1
    assert seen > 150


def test_the_recorded_hashtag_page_is_read_whole():
    page = parsed("youtube_search_hashtag.json", "hashtag")
    assert [(item.content_id, item.creator_id) for item in page.items] == [("jXMISgQq9MM", "UCvUzWu1Whyw1FWuLl9GOo_g")]
    creator = CONTENT.normalise(page.items[0], None, "skipped", provenance())
    assert (creator.hashtags, creator.video.statistics.views) == (["#shorts", "#funny", "#fails"], 22_668_056)


@pytest.mark.parametrize("name", ["youtube_channel.json", "youtube_channel__docs.json", "youtube_channel__cached.json"])
def test_each_recorded_channel_is_read(name):
    # Given
    response = recorded(name)
    told = json.loads(response.body)
    assert LOOKUP.judge(response).outcome is Outcome.OK
    # When
    profiles, cost = LOOKUP.parse(response, [SOMEONE])
    profile = profiles[SOMEONE.key]
    # Then
    assert (profile.status, cost) == ("found", told.get("credits_charged", 1))
    assert (profile.followers, profile.bio, profile.name) == (
        told["subscriberCount"],
        told["description"],
        told["name"],
    )
    assert (profile.links, profile.country, profile.joined) == (told["links"], told["country"], told["joinedDateText"])
    assert (profile.views, profile.posts) == (count(told["viewCountText"]), count(told["videoCountText"]))
    assert profile.avatar_url == told["avatar"]["image"]["sources"][-1]["url"]
    # A link is no e-mail, whatever its path looks like.
    assert profile.emails == []


@pytest.mark.parametrize("name", ["youtube_channel_videos.json", "youtube_channel_shorts.json", "youtube_video.json"])
def test_answers_of_endpoints_that_are_not_asked_are_no_channels(name):
    with pytest.raises(ShapeError) as caught:
        LOOKUP.parse(recorded(name), [SOMEONE])
    assert caught.value.reason == "missing_channel"


def test_a_recorded_target_leads_to_the_recorded_channels_without_itself():
    # Given
    query = Query("youtube", SearchKind.SIMILAR, target_username="TechIRL00")
    step = SIMILAR.sources["target"].parse(recorded("youtube_channel.json"), query, SIMILAR.starts(query)[0])
    assert [walk.word for walk in step.walks][:3] == ["Tech How To", "iPhone", "AirPods"]
    # When
    page = SIMILAR.sources["topic"].parse(recorded("youtube_search.json"), query, step.walks[0])
    # Then
    found = parsed("youtube_search.json")
    channels = {item.creator_id for item in found.items} - {"UCeysIZV7YCOoSJNQc9pgbXQ"}
    assert {item.creator_id for item in page.items} == channels
    assert page.dropped - found.dropped == len(found.items) - len(page.items) > 0
    best = SIMILAR.normalise(page.items[0], None, "skipped", provenance())
    assert len(best.videos) == max(
        len({item.content_id for item in found.items if item.creator_id == one}) for one in channels
    )
    assert best.profile_url.startswith("https://www.youtube.com/@")


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


def test_each_recorded_error_has_its_declared_outcome_and_stops_a_job_that_lacks_its_target():
    target = SIMILAR.sources["target"]
    judged = {}
    for error in json.loads((FOLDER / "errors.json").read_bytes()):
        body = error["body"] if isinstance(error["body"], str) else json.dumps(error["body"])
        response = Response(error["status"], {"content-type": error["content_type"]}, body.encode())
        outcome = judged[error["name"]] = LOOKUP.judge(response).outcome
        gone = outcome in (Outcome.NOT_FOUND, Outcome.SKIP_ITEM)
        assert target.judge(response).outcome is (Outcome.STOP_JOB if gone else outcome)
    assert judged == EXPECTED
