"""The Instagram Graph API on recorded answers, where a folder of them lies beside the repository."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from platforms import cursor, paging
from platforms.contract import Query, SearchKind
from platforms.instagram_graph.business_discovery import BusinessDiscovery
from platforms.instagram_graph.content_search import GraphHashtagSearch
from platforms.outcome import Outcome
from platforms.pages import Item, Response
from platforms.profile import Provenance

FOLDER = Path(__file__).parents[3] / "shared" / "samples" / "instagram_graph"
NOW = datetime(2026, 3, 1, tzinfo=UTC)
QUERY = Query("instagram", SearchKind.KEYWORD, keywords=("#developers",))
ADAPTER, LOOKUP = GraphHashtagSearch(), BusinessDiscovery()
SOMEONE = Item("", "1", "facebookfordevelopers", None)

pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="no recorded answers beside the repository")


def recorded(name):
    return Response(200, {"content-type": "application/json"}, (FOLDER / name).read_bytes())


def told(name):
    return json.loads((FOLDER / name).read_bytes())


def opened(source):
    """The walk of a list that the recorded look-up of a hashtag opens."""
    walk = ADAPTER.starts(QUERY)[0]
    step = ADAPTER.sources["tag"].parse(recorded("ig_hashtag_search.json"), QUERY, walk)
    return next(one for one in step.walks if one.source == source)


@pytest.mark.parametrize("name", ["ig_hashtag_search.json", "recently_searched_hashtags.json"])
def test_a_recorded_hashtag_is_read_by_its_id(name):
    # The list of recent hashtags has the same shape.
    step = ADAPTER.sources["tag"].parse(recorded(name), QUERY, ADAPTER.starts(QUERY)[0])
    assert {walk.cursor for walk in step.walks} == {f"{told(name)['data'][0]['id']}/0/"}


def test_the_recorded_walk_ends_where_paging_is_missing():
    # Given
    files = ("hashtag_recent_media.json", "hashtag_recent_media__last_page.json")
    held = [one["id"] for name in files for one in told(name)["data"]]
    source, walk, seen = ADAPTER.sources["recent_media"], opened("recent_media"), []
    # When
    for name in files:
        page = source.parse(recorded(name), QUERY, walk)
        seen += [item.content_id for item in page.items]
        walk = paging.advance(walk, page, len(page.items))
    # Then
    assert seen == held
    assert (walk.ended, walk.end_reason, walk.ordinal) == (True, "exhausted", 2)
    assert cursor.read(cursor.encode(cursor.start(QUERY, ADAPTER, NOW))) is not None


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("top_media", "hashtag_top_media.json"),
        ("recent_media", "hashtag_recent_media.json"),
        ("recent_media", "hashtag_recent_media__last_page.json"),
    ],
)
def test_each_recorded_page_of_media_is_read_whole(source, name):
    # Given
    read, posts = ADAPTER.sources[source], told(name)["data"]
    assert read.judge(recorded(name)).outcome is Outcome.OK
    # When
    page = read.parse(recorded(name), QUERY, opened(source))
    creators = [
        ADAPTER.normalise(item, None, "skipped", Provenance("instagram_graph", "x", 1, NOW, 1)) for item in page.items
    ]
    # Then
    assert (page.unreadable, len(page.items)) == ((), len(posts))
    for creator, post in zip(creators, posts, strict=True):
        assert (creator.post_id, creator.creator.name) == (post["id"], "Unknown Creator")
        assert creator.video.statistics.likes == post.get("like_count", 0)
        assert creator.video.url == post.get("permalink", "")
        assert creator.short_code == post.get("permalink", "").rstrip("/").rpartition("/")[2]


@pytest.mark.parametrize(
    "name",
    ["business_discovery.json", "business_discovery__media_page1.json", "business_discovery__media_page2.json"],
)
def test_each_recorded_account_is_read(name):
    account = told(name)["business_discovery"]
    assert LOOKUP.judge(recorded(name)).outcome is Outcome.OK
    profile = LOOKUP.parse(recorded(name), [SOMEONE])[0][SOMEONE.key]
    assert (profile.followers, profile.posts) == (account.get("followers_count"), account.get("media_count"))
    assert (profile.bio, profile.name) == (account.get("biography", ""), account.get("name", ""))


EXPECTED = {
    "app_rate_limit": (Outcome.RATE_LIMITED, timedelta(minutes=15)),
    "user_rate_limit": (Outcome.RATE_LIMITED, timedelta(minutes=15)),
    "page_rate_limit": (Outcome.RATE_LIMITED, timedelta(minutes=15)),
    "instagram_business_use_case_limit": (Outcome.RATE_LIMITED, timedelta(minutes=19)),
    "custom_rate_limit": (Outcome.RATE_LIMITED, timedelta(minutes=15)),
    "token_expired": (Outcome.FIX_CONFIGURATION, None),
    "account_not_found_or_personal": (Outcome.NOT_FOUND, None),
    "hashtag_quota_used": (Outcome.WAIT, timedelta(hours=6)),
    "permission": (Outcome.FIX_CONFIGURATION, None),
}


def test_each_recorded_error_has_its_declared_outcome_and_wait():
    judged = {}
    for error in told("errors.json"):
        headers = {name.lower(): value for name, value in error.get("headers", {}).items()}
        judgement = LOOKUP.judge(Response(error["status"], headers, json.dumps(error["body"]).encode()))
        judged[error["name"]] = (judgement.outcome, judgement.wait)
    assert judged == EXPECTED
