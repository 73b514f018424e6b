"""The stored creator of a TikTok result."""

from datetime import UTC, datetime

import msgspec
import pytest

from platforms.normalise.aweme import Author, Aweme, Picture, TextExtra
from platforms.normalise.numbers import count
from platforms.normalise.tiktok import jpeg_of, tiktok_creator
from platforms.pages import Item
from platforms.profile import Profile, Provenance

PROVENANCE = Provenance("maker", "search", 1, datetime(2026, 3, 1, tzinfo=UTC), 2)

DOCUMENTED_KEYS = {
    "creator": {"name", "followers", "avatarUrl", "profilePicUrl", "bio", "emails", "uniqueId", "verified"},
    "video": {"description", "url", "statistics"},
    "statistics": {"likes", "comments", "views", "shares"},
    "": {"creator", "video", "hashtags", "platform", "enhancementStatus"},
}
ADDED_KEYS = {"creator": {"id"}, "video": {"id"}, "statistics": set(), "": {"provenance", "publishedTime", "country"}}


def made(profile=None, status="skipped", handle="nike", author=None, **aweme):
    raw = Aweme("7", Author("6", **(author or {})), **aweme)
    return tiktok_creator(Item("6", "7", handle, raw), profile, status, PROVENANCE)


def test_the_stored_keys_are_the_documented_ones_and_the_declared_additions():
    stored = msgspec.to_builtins(made())
    parts = {
        "": stored,
        "creator": stored["creator"],
        "video": stored["video"],
        "statistics": stored["video"]["statistics"],
    }
    for name, part in parts.items():
        assert set(part) == DOCUMENTED_KEYS[name] | ADDED_KEYS[name]
    assert set(stored["provenance"]) == {"provider", "endpoint", "adapter_version", "fetched_at", "page", "unknown"}
    assert stored["platform"] == "TikTok"


def test_what_is_missing_falls_back():
    made_of_nothing = made(handle="")
    assert made_of_nothing.creator.name == "Unknown Creator"
    assert made_of_nothing.video.description == "No description"
    assert made_of_nothing.video.url == ""
    assert made_of_nothing.creator.avatar_url == ""
    assert made().creator.name == "nike"
    assert made().video.url == "https://www.tiktok.com/@nike/video/7"


def test_exact_followers_go_before_those_of_the_search():
    author = {"follower_count": 1000}
    assert made(author=author).creator.followers == 1000
    assert made(Profile("found", followers=1042), author=author).creator.followers == 1042
    assert made(Profile("found", followers=0), author=author).creator.followers == 0
    assert made(Profile("gone"), author=author).creator.followers == 1000


def test_no_followers_are_believed_of_a_profile_only():
    searched, looked_up = made(author={"follower_count": 0}), made(Profile("found", followers=0))
    assert searched.facts().followers is None
    assert looked_up.facts().followers == 0


def test_unknown_followers_are_zero_and_named():
    unknown = made().provenance.unknown
    assert made().creator.followers == 0
    assert "creator.followers" in unknown
    assert PROVENANCE.unknown == []


@pytest.mark.parametrize(
    ("author", "profile", "verified"),
    [
        ({}, None, False),
        ({"custom_verify": "verified account"}, None, True),
        ({"enterprise_verify_reason": "institution account"}, None, True),
        ({"custom_verify": "verified account"}, Profile("found", verified=False), False),
        ({}, Profile("found", verified=True), True),
        ({"custom_verify": "verified account"}, Profile("private"), True),
    ],
)
def test_verified_comes_from_the_profile_else_from_the_reasons(author, profile, verified):
    assert made(profile, author=author).creator.verified is verified


@pytest.mark.parametrize(
    ("links", "chosen"),
    [
        (["a.heic?x=.jpeg", "b.jpeg?x", "c.webp"], "b.jpeg?x"),
        (["a.heic", "b.JPG"], "b.JPG"),
        (["a.heic", "b.webp"], "b.webp"),
        (["a.jpeg", None], "a.jpeg"),
        ([], ""),
        (None, ""),
    ],
)
def test_the_avatar_is_the_jpeg_else_the_last(links, chosen):
    assert jpeg_of(Picture(links)) == chosen


def test_a_profile_picture_stands_in_for_a_missing_avatar():
    assert made(Profile("found", avatar_url="p.jpeg")).creator.profile_pic_url == "p.jpeg"


def test_filters_are_told_when_it_was_published_and_the_country_of_the_profile():
    facts = made(Profile("found", country="PT"), create_time=1_767_323_045).facts()
    assert facts.posted_at == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert (facts.country, facts.views, facts.likes) == ("PT", None, None)


@pytest.mark.parametrize("told", [None, 0, -5, "soon", 10**18])
def test_a_moment_that_is_none_is_not_stored(told):
    assert made(create_time=told).published_time is None
    assert made(create_time=told).facts().posted_at is None


def test_hashtags_come_from_the_marks_and_only_without_any_from_the_text():
    marks = [TextExtra(1, "one"), TextExtra(0, None), TextExtra(5, "five"), TextExtra("1", "#two"), TextExtra(1, "One")]
    assert made(desc="#three", text_extra=marks).hashtags == ["#one", "#two"]
    assert made(desc="#three", text_extra=[]).hashtags == []
    assert made(desc="#three שלום #קפה", text_extra=None).hashtags == ["#three", "#קפה"]


def test_addresses_of_a_bio_in_the_search_are_found_without_profile():
    creator = made(author={"signature": "Mail A@B.co"}).creator
    assert (creator.bio, creator.emails) == ("Mail A@B.co", ["a@b.co"])


@pytest.mark.parametrize(
    ("told", "number"),
    [
        (5, 5),
        (0, 0),
        ("12", 12),
        (" 7 ", 7),
        (3.9, 3),
        (-1, None),
        ("-1", None),
        ("1.2M", 1_200_000),
        ("many", None),
        ("", None),
        (None, None),
        (True, None),
        ([], None),
        (float("inf"), None),
        (float("nan"), None),
        (2**63, None),
        ("9" * 5000, None),
    ],
    ids=lambda value: str(value)[:12],
)
def test_counters_are_whole_numbers_or_unknown(told, number):
    assert count(told) == number
