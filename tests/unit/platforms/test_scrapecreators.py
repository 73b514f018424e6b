"""What ScrapeCreators endpoints share, and the profile look-up."""

import json

import pytest

from platforms.outcome import Outcome
from platforms.pages import Item, Response
from platforms.registry import ADAPTERS
from platforms.scrapecreators.client import PROVIDER, told
from platforms.scrapecreators.pricing import CREDITS
from platforms.scrapecreators.tiktok.keyword import KeywordSearch
from platforms.scrapecreators.tiktok.profile import ProfileLookup
from worker.errors import ShapeError

PROFILE = ProfileLookup()
NIKE = Item("6", "7", "nike", None)


def parsed(response):
    """The one profile of an answer, and its cost."""
    profiles, cost = PROFILE.parse(response, [NIKE])
    assert list(profiles) == [NIKE.key]
    return profiles[NIKE.key], cost


def answer(value, status=200):
    return Response(status, {}, json.dumps(value).encode())


@pytest.mark.parametrize(
    ("status", "body", "line"),
    [
        (200, b'{"message": "ignored"}', ""),
        (200, b" \r\n[1]", ""),
        (200, b"", "not JSON: empty body"),
        (404, b"<html><title>Error</title><pre>Cannot GET /v1/x</pre>", "not JSON: Cannot GET /v1/x"),
        (502, b"upstream  gone\nmore", "not JSON: upstream  gone"),
        (400, b'{"message": "You must provide a handle"}', "You must provide a handle"),
        (400, b'{"error": "missing_parameter", "message": "provide\\na query"}', "missing_parameter: provide a query"),
        (500, b'{"error": {"code": 1}}', ""),
        (500, b'{"message": "cut', ""),
        (500, b"{" * 100, ""),
        (500, b"<" * 5000, "not JSON: "),
    ],
    ids=lambda value: str(value)[:30],
)
def test_an_answer_says_about_itself_in_one_line(status, body, line):
    assert told(Response(status, {}, body)).startswith(line)
    assert bool(told(Response(status, {}, body))) is bool(line)


def test_every_endpoint_has_a_price():
    ours = [one for one in ADAPTERS if one.capability.provider == PROVIDER]
    asked = {source.endpoint for one in ours for source in one.sources.values()}
    assert asked | {one.profiles.endpoint for one in ours if one.profiles} <= set(CREDITS)
    assert PROFILE.credits == 1


def test_a_profile_is_asked_for_by_handle():
    request = PROFILE.request([NIKE])
    assert (request.path, dict(request.params)) == ("/v1/tiktok/profile", {"handle": "nike"})


def test_a_found_profile_tells_bio_addresses_and_exact_followers():
    # Given
    user = {
        "uniqueId": "run.ner",
        "nickname": "Runner\x00 One",
        "region": "pt",
        "signature": "Runner\x00. Mail Me@Run.example",
        "verified": True,
        "privateAccount": True,
        "bioLink": {"link": "mailto:team@run.example", "risk": 3},
        "avatarMedium": "https://p.example/a.webp?x",
        "avatarLarger": "https://p.example/b.jpeg?x",
    }
    told_stats = {
        "stats": {"followerCount": -84927980, "videoCount": 12, "heartCount": -5},
        "statsV2": {"followerCount": "54709491", "heartCount": "7"},
    }
    # When
    profile, cost = parsed(answer({"user": user, **told_stats, "credits_charged": 0}))
    # Then
    assert profile.status == "found"
    assert profile.bio == "Runner. Mail Me@Run.example"
    assert profile.emails == ["me@run.example", "team@run.example"]
    assert (profile.verified, profile.followers, cost) == (True, 54709491, 0)
    assert profile.avatar_url == "https://p.example/b.jpeg?x"
    assert profile.links == ["mailto:team@run.example"]
    assert (profile.name, profile.handle, profile.country) == ("Runner One", "run.ner", "PT")
    assert (profile.following, profile.posts, profile.likes) == (None, 12, 7)


@pytest.mark.parametrize(
    ("stats", "followers"),
    [
        ({"stats": {"followerCount": 12}}, 12),
        ({"stats": {"followerCount": -12}}, None),
        ({"stats": {"followerCount": 12}, "statsV2": {"followerCount": "x"}}, 12),
        ({"stats": None, "statsV2": {}}, None),
        ({}, None),
    ],
)
def test_followers_fall_back_to_the_rounded_count_else_stay_unknown(stats, followers):
    assert parsed(answer({"user": {}, **stats}))[0].followers == followers


@pytest.mark.parametrize(
    ("body", "status"),
    [({"account_private": True, "handle": "x"}, "private"), ({"account_deactivated": True, "message": "gone"}, "gone")],
)
def test_closed_accounts_are_normal_answers(body, status):
    profile, cost = parsed(answer(body))
    assert (profile.status, cost) == (status, 1)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b'{"success": false, "message": "no"}', "missing_user"),
        (b'{"user": []}', "wrong_profile_shape"),
        (b"[]", "wrong_profile_shape"),
        (b'{"user": {"signature": "x', "not_json"),
    ],
)
def test_another_shape_of_profile_is_refused(body, reason):
    with pytest.raises(ShapeError) as caught:
        parsed(Response(200, {}, body))
    assert caught.value.reason == reason


@pytest.mark.parametrize(
    ("status", "outcome"),
    [(200, Outcome.OK), (403, Outcome.SKIP_ITEM), (404, Outcome.NOT_FOUND), (429, Outcome.RATE_LIMITED)],
)
def test_a_closed_or_missing_account_concerns_that_account_only(status, outcome):
    assert PROFILE.judge(answer({"message": "x"}, status)).outcome is outcome


@pytest.mark.parametrize(
    ("status", "body", "outcome"),
    [
        (400, {"success": False, "error": "missing_parameter", "message": "You must provide a query"}, "stop_job"),
        (401, {"success": False, "message": "Invalid API key"}, "fix_configuration"),
        (402, {"success": False, "message": "Looks like you're out of credits"}, "fix_configuration"),
        (429, {"success": False, "message": "Too many requests"}, "rate_limited"),
        (500, {"success": False, "message": "apiKey is required"}, "fix_configuration"),
        (500, {"success": False, "message": "Internal error"}, "retry_now"),
        (503, "<html><title>Service Unavailable</title></html>", "retry_now"),
        (404, "<pre>Cannot GET /v1/tiktok/search/words</pre>", "fix_configuration"),
        (200, "<html>maintenance</html>", "false_success"),
        (302, "", "fix_configuration"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_a_search_answer_means_what_the_vendor_s_documents_say(status, body, outcome):
    text = body if isinstance(body, str) else json.dumps(body)
    assert KeywordSearch().judge(Response(status, {}, text.encode())).outcome == outcome
