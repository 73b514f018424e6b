"""Instagram by ScrapeCreators: what is its alone."""

import json

import msgspec
import pytest

from platforms import paging
from platforms.contract import Query, SearchKind
from platforms.outcome import Outcome
from platforms.pages import Item, start_walk
from platforms.profile import Profile
from platforms.scrapecreators.instagram.profile import ProfileLookup
from tests.conformance.kit import answer
from tests.conformance.kits.scrapecreators_answers import TARGET_ANSWERS
from tests.conformance.kits.scrapecreators_instagram import (
    ACCOUNTS,
    HASHTAG,
    NOBODY,
    REELS,
    RELATED,
    TARGET,
    hashtag_page,
    post,
    reels_page,
    related,
    target_answer,
)
from tests.conformance.test_sources import read, stored
from worker.errors import ShapeError

LOOK_UP = ProfileLookup()
FOUND = Profile(
    "found",
    bio="Beans. a@b.co",
    emails=["a@b.co"],
    verified=True,
    followers=7,
    links=["https://x.example"],
    following=3,
    posts=2,
    category="Cafe",
)


def reel(**changes):
    return read(REELS, reels_page([{**post(1), **changes}], 1)).items[0]


class TestTheDepth:
    def test_of_reels_is_eleven_pages_which_we_count(self):
        # Given
        walk = msgspec.structs.replace(REELS.walk, cursor=10, ordinal=9)
        # When
        asked = []
        while not walk.ended:
            asked.append(dict(REELS.read.request(REELS.query, walk).params).get("page"))
            walk = paging.advance(walk, REELS.read.parse(reels_page([post(1)], 1), REELS.query, walk), 1)
        # Then
        assert asked == ["10", "11"]
        assert walk.end_reason == "provider_depth"

    def test_of_a_hashtag_is_eleven_pages_even_if_a_twelfth_is_told(self):
        walk = msgspec.structs.replace(HASHTAG.walk, cursor=11)
        page = HASHTAG.read.parse(hashtag_page([post(1)], 11), HASHTAG.query, walk)
        assert (len(page.items), page.ended, page.end_reason) == (1, True, "provider_depth")

    def test_is_not_the_reason_where_a_search_runs_dry(self):
        assert read(REELS, reels_page([], 1)).end_reason == "exhausted"

    @pytest.mark.parametrize("cursor", [None, "", " "])
    def test_a_hashtag_without_a_next_cursor_is_at_its_end(self, cursor):
        page = read(HASHTAG, answer({"posts": [post(1)], "cursor": cursor}))
        assert (len(page.items), page.ended, page.end_reason) == (1, True, "exhausted")

    def test_a_cursor_that_is_no_number_is_sent_back_as_it_came(self):
        # Given
        page = read(HASHTAG, answer({"posts": [post(1)], "cursor": "QVFB=="}))
        # When
        walk = paging.advance(HASHTAG.walk, page, 1)
        # Then
        assert dict(HASHTAG.read.request(HASHTAG.query, walk).params)["cursor"] == "QVFB=="


class TestAPost:
    def test_without_view_counts_has_unknown_views_and_not_none(self):
        creator = stored(REELS, reel())
        unknown = {"video.statistics.views", "video.statistics.shares", "creator.following", *NOBODY}
        assert set(creator["provenance"]["unknown"]) == unknown

    @pytest.mark.parametrize(
        ("told", "views"),
        [
            ({"video_play_count": 9, "video_view_count": 4}, 9),
            ({"video_view_count": 4}, 4),
            ({"video_play_count": 0}, 0),
            ({"video_play_count": -1, "video_view_count": 4}, None),
        ],
    )
    def test_counts_plays_as_views(self, told, views):
        item = reel(**told)
        assert stored(REELS, item)["video"]["statistics"]["views"] == (views or 0)
        assert ("video.statistics.views" in stored(REELS, item)["provenance"]["unknown"]) is (views is None)

    def test_with_hidden_likes_has_unknown_likes(self):
        assert "video.statistics.likes" in stored(REELS, reel(like_count=-1))["provenance"]["unknown"]

    @pytest.mark.parametrize(
        ("told", "kind", "url"),
        [
            ({"url": None}, "Video", "https://www.instagram.com/reel/DOq1/"),
            ({"url": None, "__typename": "XDTGraphSidecar"}, "Sidecar", "https://www.instagram.com/p/DOq1/"),
            ({"url": "", "__typename": None, "is_video": False}, "Image", "https://www.instagram.com/p/DOq1/"),
            ({"url": None, "shortcode": None, "__typename": "New", "is_video": None}, "", ""),
        ],
    )
    def test_has_a_kind_and_a_link_built_where_none_is_told(self, told, kind, url):
        creator = stored(REELS, reel(**told))
        assert (creator["postType"], creator["video"]["url"]) == (kind, url)

    @pytest.mark.parametrize(
        ("told", "shown"),
        [
            (1_758_041_805, "2025-09-16T16:56:45.000Z"),
            ("2025-09-16T16:56:45", "2025-09-16T16:56:45.000Z"),
            ("yesterday", ""),
            (None, ""),
            (10**17, ""),
        ],
    )
    def test_was_published_at_a_time_in_utc_or_at_none_that_is_known(self, told, shown):
        assert stored(REELS, reel(taken_at=told))["publishedTime"] == shown

    def test_keeps_64_bit_ids_whole(self):
        item = reel(id=3723045213787686915, owner={**post(1)["owner"], "id": 17841400849660007})
        creator = stored(REELS, item)
        assert (creator["postId"], creator["ownerId"]) == ("3723045213787686915", "17841400849660007")

    @pytest.mark.parametrize(
        ("changes", "reason"),
        [
            ({"owner": {**post(1)["owner"], "id": ""}}, "no_creator_id"),
            ({"id": 0}, "no_content_id"),
            ({"owner": None}, "wrong_item_shape"),
            ({"caption": {"text": "x"}}, "wrong_item_shape"),
        ],
    )
    def test_without_identity_or_of_another_type_is_set_aside(self, changes, reason):
        page = read(REELS, reels_page([{**post(1), **changes}, post(2)], 1))
        assert [bad.reason for bad in page.unreadable] == [reason]
        assert [item.handle for item in page.items] == ["barista2"]

    def test_takes_the_profile_for_what_the_search_lacks(self):
        # When
        creator = stored(REELS, reel(), FOUND, "completed")
        # Then
        part = creator["creator"]
        assert (part["followers"], part["following"], part["posts"], part["verified"]) == (7, 3, 2, True)
        assert (part["bio"], part["emails"], part["category"]) == ("Beans. a@b.co", ["a@b.co"], "Cafe")
        assert creator["enhancementStatus"] == "completed"


class TestTheWords:
    def test_go_to_the_search_of_their_kind(self):
        def starts(**more):
            walks = REELS.adapter.starts(Query("instagram", SearchKind.KEYWORD, **more))
            return [(walk.source, walk.word, walk.cursor) for walk in walks]

        assert starts(keywords=("latte", "#barista")) == [("search", "latte", 1), ("hashtag", "barista", 1)]
        assert starts(keywords=("latte",), word_kind="profiles") == [("profiles", "latte", 1)]


class TestTheLookUp:
    def test_is_spared_where_the_search_tells_as_much(self):
        found, posted = read(ACCOUNTS, ACCOUNTS.good).items[0], reel()
        assert (LOOK_UP.wanted(found), LOOK_UP.wanted(posted)) == (False, True)
        assert not LOOK_UP.wanted(reel(owner={**post(1)["owner"], "username": ""}))

    def test_finds_e_mails_everywhere(self):
        # Given
        links = [{"url": "mailto:Link@Roastery.example"}, {"url": None}, {"url": "https://roastery.example"}]
        response = target_answer(
            None,
            biography="Write bio@roastery.example.",
            bio_links=links,
            external_url="mailto:site@roastery.example",
            business_email="Office@roastery.example",
        )
        # When
        profiles, _ = LOOK_UP.parse(response, [reel()])
        # Then
        profile = profiles["17841400000000001"]
        names = ["office", "bio", "link", "site"]
        assert profile.emails == [f"{name}@roastery.example" for name in names]
        assert profile.followers is None

    def test_knows_an_account_that_is_gone(self):
        profiles, _ = LOOK_UP.parse(answer({"data": {"user": None}}), [Item("1", "2", "x", None)])
        assert profiles["1"].status == "gone"
        assert LOOK_UP.judge(TARGET_ANSWERS["not_found"]).outcome is Outcome.NOT_FOUND

    @pytest.mark.parametrize(
        ("body", "reason"),
        [
            ({"status": "ok"}, "missing_user"),
            ({"data": {}}, "wrong_profile_shape"),
            ({"data": 7}, "wrong_profile_shape"),
        ],
    )
    def test_refuses_another_shape(self, body, reason):
        with pytest.raises(ShapeError) as caught:
            LOOK_UP.parse(answer(body), [Item("1", "2", "x", None)])
        assert caught.value.reason == reason


class TestRelatedAccounts:
    @pytest.mark.parametrize("edges", [[], None], ids=["empty", "no such key"])
    def test_none_of_them_is_a_clear_end(self, edges):
        page = read(RELATED, target_answer(edges))
        assert (page.items, page.ended, page.end_reason) == ((), True, "no_related")

    def test_do_not_hold_the_target(self):
        # Given
        same_name = {**related(5), "username": TARGET.upper()}
        same_id = {**related(6), "id": 99}
        # When
        page = read(RELATED, target_answer([{"node": one} for one in (same_name, related(1), same_id)]))
        # Then
        assert ([item.handle for item in page.items], page.dropped) == (["barista1"], 2)

    def test_that_are_private_are_kept_and_say_so(self):
        item = read(RELATED, target_answer([{"node": {**related(1), "is_private": True}}])).items[0]
        creator = stored(RELATED, item)
        assert (creator["is_private"], creator["creator"]["isPrivate"]) == (True, True)

    def test_without_flags_have_unknown_ones(self):
        item = read(RELATED, target_answer([{"node": {"id": "5", "username": "@x"}}])).items[0]
        creator = stored(RELATED, item)
        assert (creator["username"], creator["is_private"], creator["is_verified"]) == ("x", False, False)
        assert {"creator.isPrivate", "creator.verified"} <= set(creator["provenance"]["unknown"])

    @pytest.mark.parametrize(
        ("response", "rule", "words"),
        [
            (target_answer([{"node": related(1)}], is_private=True), "target_private", "private account"),
            (answer({"data": {"user": None}}), "target_not_found", "no Instagram account"),
            (TARGET_ANSWERS["not_found"], "target_not_found", "no Instagram account"),
            (TARGET_ANSWERS["closed"], "target_closed", "closed to readers"),
        ],
        ids=["private", "null", "404", "403"],
    )
    def test_of_a_target_that_cannot_be_read_end_the_job_with_a_text(self, response, rule, words):
        judgement = RELATED.read.judge(response)
        assert (judgement.outcome, judgement.rule) == (Outcome.STOP_JOB, rule)
        assert words in judgement.message
        assert "target_username" in judgement.message

    def test_begin_one_walk_at_the_target(self):
        assert RELATED.adapter.starts(RELATED.query) == (start_walk("related", TARGET, 0),)
        assert json.loads(RELATED.good.body)["data"]["user"]["username"] == TARGET
