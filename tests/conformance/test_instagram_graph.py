"""Instagram by its own Graph API: what is its alone."""

import json
from datetime import timedelta

import msgspec
import pytest

from platforms import paging
from platforms.contract import Query, SearchKind
from platforms.instagram_graph.business_discovery import BusinessDiscovery
from platforms.outcome import Outcome
from platforms.pages import ACCOUNT, OPENED, Item
from platforms.profile import Profile
from tests.conformance.kit import answer, html
from tests.conformance.kits.instagram_graph import CURSORS, KITS, TAG, TAG_ID, error, media, page
from tests.conformance.test_sources import read, stored
from worker.errors import InvalidJob, ShapeError

LOOKUP = BusinessDiscovery()
SOMEONE = Item("", "1", "studio.coffee", None)
TOP = KITS[1]


def discovered(**account):
    return answer({"business_discovery": {"id": "1784", "username": "studio.coffee", **account}, "id": "17841"})


class TestHashtags:
    def test_every_word_is_a_hashtag_here(self):
        query = Query(
            "instagram", SearchKind.KEYWORD, keywords=("Studio Coffee!", "#קפה", "studio_coffee", "studio coffee")
        )
        assert [(walk.source, walk.word) for walk in TAG.adapter.starts(query)] == [
            ("tag", "studiocoffee"),
            ("tag", "קפה"),
            ("tag", "studio_coffee"),
        ]

    def test_words_that_cannot_be_hashtags_are_refused(self):
        with pytest.raises(InvalidJob):
            TAG.adapter.starts(Query("instagram", SearchKind.KEYWORD, keywords=("!!!",)))

    def test_a_hashtag_opens_its_two_lists(self):
        step = TAG.read.parse(TAG.good, TAG.query, TAG.walk)
        assert [(walk.source, walk.word, walk.cursor) for walk in step.walks] == [
            ("top_media", "studiocoffee", f"{TAG_ID}/0/"),
            ("recent_media", "studiocoffee", f"{TAG_ID}/0/"),
        ]
        assert (step.step, step.ended, step.end_reason) == (True, True, OPENED)

    @pytest.mark.parametrize("data", [[], [{}], [{"id": ""}]], ids=str)
    def test_a_hashtag_that_nobody_uses_is_a_clear_answer(self, data):
        step = TAG.read.parse(answer({"data": data}), TAG.query, TAG.walk)
        assert (step.walks, step.ended, step.end_reason) == ((), True, "no_such_hashtag")


class TestMedia:
    def test_the_walk_goes_on_while_the_marker_stays_the_same_text(self):
        # Given
        walk, asked = TOP.walk, []
        # When
        for number in range(1, 5):
            asked.append(TOP.read.request(TOP.query, walk).params.get("after"))
            walk = paging.advance(walk, TOP.read.parse(page([media(number)], number), TOP.query, walk), 1)
        # Then
        assert asked == [None, "QVFIUm", "QVFIUm", "QVFIUm"]
        assert (walk.ended, walk.cursor) == (False, f"{TAG_ID}/4/QVFIUm")

    def test_a_marker_with_slashes_is_sent_as_it_came(self):
        marked = answer({"data": [media(1)], "paging": {"cursors": {"after": "a/b/=="}}})
        walk = msgspec.structs.replace(TOP.walk, cursor=read(TOP, marked).next_cursor)
        assert TOP.read.request(TOP.query, walk).params["after"] == "a/b/=="

    @pytest.mark.parametrize(
        "ending", [{}, {"paging": {}}, {"paging": {"cursors": {}}}, {"paging": {"cursors": {"after": ""}}}], ids=str
    )
    def test_a_missing_marker_is_the_end(self, ending):
        found = read(TOP, answer({"data": [media(1)], **ending}))
        assert (found.ended, len(found.items)) == (True, 1)

    def test_a_post_stands_for_itself_because_no_owner_is_told(self):
        item = read(TOP, page([media(1)], 1)).items[0]
        assert (item.creator_id, item.handle, item.key) == ("", "", item.content_id)
        assert not LOOKUP.wanted(item)

    def test_hidden_likes_and_what_is_not_told_are_unknown(self):
        bare = read(TOP, page([{"id": 18088158883149835, "media_type": "VIDEO", "media_url": "https://x/v.mp4"}], 1))
        creator = stored(TOP, bare.items[0])
        assert (creator["postId"], creator["postType"], creator["mediaUrl"]) == ("18088158883149835", "Video", "")
        assert creator["video"]["description"] == "No description"
        assert {"video.statistics.likes", "creator.followers", "creator.verified"} <= set(
            creator["provenance"]["unknown"]
        )

    def test_the_token_in_the_next_link_goes_nowhere(self):
        found = read(TOP, page([media(1)], 1))
        assert "secret" not in f"{found}"
        assert found.next_cursor == CURSORS[1]


class TestProfiles:
    def test_our_account_is_asked_for_another_by_name(self):
        request = LOOKUP.request([SOMEONE])
        assert request.path == f"/v23.0/{ACCOUNT}"
        assert request.params["fields"].startswith("business_discovery.username(studio.coffee){username,name,")

    @pytest.mark.parametrize("handle", ["", "a b", "x){id}", "a" * 31, "é"])
    def test_only_what_can_be_a_handle_gets_into_the_expression(self, handle):
        assert not LOOKUP.wanted(Item("", "1", handle, None))

    def test_a_professional_account_becomes_a_profile(self):
        told = discovered(
            name="Studio Coffee",
            biography="Write to hello@studiocoffee.example",
            website="mailto:shop@studiocoffee.example",
            followers_count=64976,
            follows_count=12,
            media_count=436,
            profile_picture_url="https://scontent.example/1.jpg",
        )
        assert LOOKUP.parse(told, [SOMEONE]) == (
            {
                "@studio.coffee": Profile(
                    status="found",
                    bio="Write to hello@studiocoffee.example",
                    emails=["hello@studiocoffee.example", "shop@studiocoffee.example"],
                    followers=64976,
                    avatar_url="https://scontent.example/1.jpg",
                    links=["mailto:shop@studiocoffee.example"],
                    handle="studio.coffee",
                    name="Studio Coffee",
                    following=12,
                    posts=436,
                )
            },
            1,
        )

    def test_a_personal_or_missing_account_is_gone(self):
        assert LOOKUP.judge(error(110, 2207013, "Invalid user id")).outcome is Outcome.NOT_FOUND

    @pytest.mark.parametrize(
        ("body", "reason"),
        [({"id": "1"}, "missing_account"), ({"business_discovery": []}, "wrong_profile_shape")],
        ids=["missing", "shape"],
    )
    def test_another_shape_is_refused(self, body, reason):
        with pytest.raises(ShapeError) as caught:
            LOOKUP.parse(answer(body), [SOMEONE])
        assert caught.value.reason == reason


class TestOutcomes:
    @pytest.mark.parametrize("code", [4, 17, 32, 613])
    def test_throttles_come_as_bad_requests_and_wait(self, code):
        judgement = LOOKUP.judge(error(code))
        assert (judgement.outcome, judgement.wait) == (Outcome.RATE_LIMITED, timedelta(minutes=15))

    def test_an_accounts_limit_waits_as_long_as_the_header_says(self):
        use = {"type": "instagram", "call_count": 100, "estimated_time_to_regain_access": 19}
        usage = json.dumps({"17841400000000000": [use], "2": [{"estimated_time_to_regain_access": 0}]})
        limited = error(80002, 2446079)
        told = type(limited)(400, {**limited.headers, "x-business-use-case-usage": usage}, limited.body)
        assert LOOKUP.judge(told).wait == timedelta(minutes=19)

    @pytest.mark.parametrize(
        "usage", ["", "{", "[]", '{"1": [5]}', '{"1": [{"estimated_time_to_regain_access": "x"}]}']
    )
    def test_an_unreadable_header_leaves_the_usual_wait(self, usage):
        limited = error(80002)
        told = type(limited)(400, {"x-business-use-case-usage": usage}, limited.body)
        assert LOOKUP.judge(told).wait == timedelta(hours=1)

    @pytest.mark.parametrize(
        ("response", "rule"),
        [
            (answer({"error": {"message": "(#4) Application request limit reached"}}, 400), "app_limit"),
            (answer({"error": {"message": "(#4) Application request limit reached", "code": 4}}), "app_limit"),
            (answer({"error": "down"}), "error_with_2xx"),
            (answer({"error": "down"}, 500), "server_error"),
            (error(102), "bad_token"),
            (error(18), "hashtag_quota"),
            (error(10), "no_permission"),
            (error(200), "no_permission"),
            (error(299), "no_permission"),
            (error(1), "transient"),
            (error(99, is_transient=True), "transient"),
            (error(110), "not_discoverable"),
            (html(500), "server_error"),
        ],
    )
    def test_the_code_decides_wherever_it_stands(self, response, rule):
        assert LOOKUP.judge(response).rule == rule

    def test_a_used_up_hashtag_quota_waits_for_hours(self):
        judgement = TAG.read.judge(error(24, 2207042))
        assert (judgement.outcome, judgement.wait) == (Outcome.WAIT, timedelta(hours=6))
