"""TikTok accounts like another one: what the target opens, which accounts are given, and how they are stored."""

import json
from datetime import UTC, datetime

import msgspec
import pytest

from platforms import cursor, paging
from platforms.contract import Query, SearchKind
from platforms.outcome import Outcome
from platforms.pages import Response, start_walk
from platforms.profile import Profile, Provenance
from platforms.scrapecreators.tiktok.similar import TikTokSimilar
from platforms.scrapecreators.tiktok.trail import Trail
from worker.errors import ShapeError

ADAPTER = TikTokSimilar()
TARGET, USERS, FOLLOWINGS = (ADAPTER.sources[name] for name in ("target", "users", "followings"))
QUERY = Query("tiktok", SearchKind.SIMILAR, target_username="Crema.Daily")
NOW = datetime(2026, 3, 1, tzinfo=UTC)
PROFILE = {
    "user": {"id": "1", "uniqueId": "crema.daily", "nickname": "Crema", "signature": "Barista. #latte art"},
    "stats": {"followerCount": 5000},
}


def answer(value, status=200):
    return Response(status, {}, json.dumps(value).encode())


def walk(source, at=0, word="latte", **trail):
    told = Trail(at, **({"uid": "1", "followers": 1000, "words": ["latte", "coffee"]} | trail))
    return start_walk(source, word, told.text)


def users(*accounts, cursor=30):
    hits = [{"user_info": {"uid": str(number + 2), **one}} for number, one in enumerate(accounts)]
    return answer({"users": hits, "cursor": cursor})


def stored(page, profile=None, status="skipped"):
    provenance = Provenance("scrapecreators", "x", 1, NOW, 1)
    return [msgspec.to_builtins(ADAPTER.normalise(one, profile, status, provenance)) for one in page.items]


class TestTheTarget:
    def test_opens_a_search_for_each_of_its_words_and_its_followings(self):
        # When
        envelope = cursor.start(QUERY, ADAPTER, NOW)
        page = TARGET.parse(answer(PROFILE), QUERY, envelope.walks[0])
        envelope = cursor.with_walk(envelope, 0, paging.advance(envelope.walks[0], page, 0), NOW, page.walks)
        # Then
        assert [(one.source, one.word, one.ended) for one in envelope.walks] == [
            ("target", "Crema.Daily", True),
            ("users", "latte", False),
            ("users", "barista", False),
            ("users", "art", False),
            ("users", "crema", False),
            ("followings", "crema.daily", False),
        ]
        assert page.step
        assert page.credits == 1
        assert FOLLOWINGS.request(QUERY, envelope.walks[-1]).params == {"handle": "crema.daily"}
        assert json.loads(envelope.walks[1].cursor) == {
            "at": 0,
            "uid": "1",
            "followers": 5000,
            "words": ["latte", "barista", "art", "crema"],
        }

    def test_without_a_word_opens_its_followings_alone(self):
        page = TARGET.parse(answer({"user": {"uniqueId": "1a", "nickname": "❤️"}}), QUERY, walk("target"))
        assert [one.source for one in page.walks] == ["followings"]

    @pytest.mark.parametrize(
        ("body", "status", "rule", "said"),
        [
            ({"account_private": True, "handle": "x"}, 200, "target_private", "the target account is private"),
            ({"user": {"privateAccount": True}}, 200, "target_private", "the target account is private"),
            ({"account_deactivated": True}, 200, "target_missing", "does not exist or is deactivated"),
            ({"success": False, "error": "not_found"}, 404, "not_found", "the target account does not exist"),
            ({"success": False, "error": "forbidden"}, 403, "closed", "the target account is closed to readers"),
        ],
    )
    def test_that_cannot_be_seen_ends_the_job(self, body, status, rule, said):
        judgement = TARGET.judge(answer(body, status))
        assert (judgement.outcome, judgement.rule) == (Outcome.STOP_JOB, rule)
        assert said in judgement.message

    def test_sets_nothing_aside(self):
        with pytest.raises(ShapeError):
            TARGET.reread(b"{}", QUERY, walk("target"))


class TestFoundAccounts:
    def test_come_with_the_best_match_first(self):
        page = USERS.parse(
            users(
                {"unique_id": "nobody", "follower_count": 1000},
                {"unique_id": "huge", "nickname": "Latte", "follower_count": 10**9},
                {"unique_id": "near", "nickname": "LATTE", "follower_count": 1100},
                {"unique_id": "lattelover", "nickname": "Coffee", "follower_count": None},
            ),
            QUERY,
            walk("users"),
        )
        assert [item.handle for item in page.items] == ["lattelover", "near", "huge", "nobody"]

    def test_of_a_bio_count_and_equals_stay_in_the_providers_order(self):
        followings = [
            {"uid": 5, "unique_id": "a", "signature": ""},
            {"uid": 6, "unique_id": "b", "signature": "Coffee"},
            {"uid": 7, "unique_id": "c"},
        ]
        page = FOLLOWINGS.parse(answer({"followings": followings, "min_time": 9}), QUERY, walk("followings"))
        assert [item.handle for item in page.items] == ["b", "a", "c"]

    def test_leave_out_the_target_and_private_ones_and_tell_how_many(self):
        page = USERS.parse(
            users(
                {"uid": "1", "unique_id": "renamed"},
                {"unique_id": "CREMA.daily"},
                {"unique_id": "shut", "is_private_account": 1},
                {"unique_id": "closed", "is_private_account": True},
                {"unique_id": "secret", "secret": 1},
                {"unique_id": "open", "is_private_account": 0, "secret": 0},
            ),
            QUERY,
            walk("users"),
        )
        assert [item.handle for item in page.items] == ["open"]
        assert page.dropped == 5

    def test_that_are_all_dropped_do_not_end_the_walk(self):
        page = USERS.parse(users({"unique_id": "shut", "secret": 1}), QUERY, walk("users"))
        assert (page.items, page.ended, page.dropped) == ((), False, 1)


class TestPaging:
    @pytest.mark.parametrize(("told", "following"), [(60, 60), (None, 60), (-1, 60), (30, 30), (0, 30)])
    def test_a_user_search_goes_where_it_is_told_and_never_back(self, told, following):
        page = USERS.parse(users({"unique_id": "a"}, cursor=told), QUERY, walk("users", 30))
        assert page.next_cursor == walk("users", following).cursor

    @pytest.mark.parametrize(
        ("at", "oldest", "ended"),
        [(0, 500, False), (600, 500, False), (500, 500, True), (400, 500, True), (0, 0, True), (0, None, True)],
    )
    def test_followings_go_back_in_time_or_end(self, at, oldest, ended):
        # Given an answer that says that more follow, which is not believed
        body = {"followings": [{"uid": 5}], "min_time": oldest, "has_more": True}
        # When
        page = FOLLOWINGS.parse(answer(body), QUERY, walk("followings", at))
        # Then
        assert (len(page.items), page.ended) == (1, ended)
        if not ended:
            assert page.next_cursor == walk("followings", oldest).cursor
            assert FOLLOWINGS.request(QUERY, walk("followings", oldest)).params["min_time"] == "500"

    def test_followings_that_say_there_are_no_more_are_asked_once_more(self):
        body = {"followings": [{"uid": 5}], "min_time": 500, "has_more": False}
        assert not FOLLOWINGS.parse(answer(body), QUERY, walk("followings")).ended


ACCOUNT = {
    "unique_id": "roaster",
    "nickname": "Roaster",
    "follower_count": 900,
    "following_count": "x",
    "total_favorited": 0,
    "verification_type": 1,
}


class TestTheStoredCreator:
    def made(self, profile=None, status="skipped", **changes):
        return stored(USERS.parse(users(ACCOUNT | changes), QUERY, walk("users")), profile, status)[0]

    def test_holds_both_shapes_that_pages_read(self):
        creator = self.made()
        assert set(creator) == (
            {"creator", "platform", "searchType", "targetUsername", "enhancementStatus", "provenance", "country"}
            | {"id", "username", "full_name", "is_private", "is_verified", "profile_pic_url", "followerCount"}
            | {"followingCount", "videoCount", "totalLikes", "bio", "emails", "profileUrl", "searchKeyword"}
        )
        assert {"name", "followers", "avatarUrl", "bio", "emails", "uniqueId"} <= set(creator["creator"])
        assert (creator["targetUsername"], creator["searchKeyword"]) == ("@Crema.Daily", "latte")

    def test_names_the_numbers_that_nobody_told(self):
        assert self.made()["provenance"]["unknown"] == ["followingCount", "videoCount", "totalLikes"]
        unknown = self.made(follower_count=None)["provenance"]["unknown"]
        assert {"followerCount", "creator.followers"} <= set(unknown)

    def test_is_verified_by_a_text_or_the_profile_and_never_by_its_type(self):
        assert not self.made(verification_type=1)["is_verified"]
        assert self.made(custom_verify="Verified account")["is_verified"]
        assert self.made(Profile("found", verified=True))["creator"]["verified"]
        assert not self.made(Profile("found", verified=False), custom_verify="Verified account")["is_verified"]

    def test_takes_exact_numbers_bio_and_addresses_from_the_profile(self):
        # Given
        bio = "Mail a@b.example"
        profile = Profile(
            "found", bio, ["a@b.example"], True, 912, following=0, posts=4, likes=70, country="PT", links=["x"]
        )
        # When
        creator = self.made(profile, "completed")
        # Then
        assert (creator["followerCount"], creator["creator"]["followers"]) == (912, 912)
        assert (creator["followingCount"], creator["videoCount"], creator["totalLikes"]) == (0, 4, 70)
        assert creator["bio"] == creator["creator"]["bio"] == bio
        assert creator["emails"] == creator["creator"]["emails"] == ["a@b.example"]
        assert (creator["country"], creator["enhancementStatus"]) == ("PT", "completed")
        assert creator["provenance"]["unknown"] == []

    def test_tells_filters_what_is_known(self):
        page = USERS.parse(users(ACCOUNT), QUERY, walk("users"))
        provenance = Provenance("scrapecreators", "x", 1, NOW, 1)
        facts = ADAPTER.normalise(page.items[0], Profile("private"), "completed", provenance).facts()
        assert (facts.followers, facts.likes, facts.private, facts.verified) == (900, None, True, False)
