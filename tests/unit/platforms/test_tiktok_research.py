"""TikTok's Research API: windows of days, pages, accounts, and what answers mean."""

import json
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from platforms import paging
from platforms.contract import Query, SearchKind
from platforms.outcome import Outcome
from platforms.pages import Item, Page, Response, start_walk
from platforms.profile import Profile, Provenance
from platforms.tiktok_research import endpoint as endpoint_module
from platforms.tiktok_research.client import told
from platforms.tiktok_research.content_search import TikTokResearchSearch
from platforms.tiktok_research.outcomes import until_midnight
from platforms.tiktok_research.windows import MOST_EMPTY, Place, newest, place_of
from worker.errors import InvalidJob, ShapeError

ADAPTER = TikTokResearchSearch()
VIDEOS, USERS = ADAPTER.sources["videos"], ADAPTER.profiles
QUERY = Query("tiktok", SearchKind.KEYWORD, keywords=("latte",))
NOW = datetime(2026, 3, 1, 23, 30, tzinfo=UTC)
BARISTA = Item("", "7", "barista", None)


def answer(value, status=200):
    return Response(status, {}, json.dumps(value).encode())


def failure(status, code, message="No."):
    return answer({"data": {}, "error": {"code": code, "message": message, "log_id": "L1"}}, status)


def page(videos, **data):
    videos = [{"id": number, "username": f"u{number}"} for number in videos]
    return answer({"data": {"videos": videos, "has_more": True, **data}, "error": {"code": "ok"}})


def read(response, walk):
    return VIDEOS.parse(response, QUERY, walk)


def walk(**place):
    return start_walk("videos", "latte", Place(**({"last": "20260301", "oldest": "20251201"} | place)).text)


class TestWindows:
    @pytest.mark.parametrize(
        ("date_posted", "oldest"),
        [
            (None, "20250301"),
            ("yesterday", "20260228"),
            ("this-week", "20260222"),
            ("This_Month", "20260130"),
            ("last-3-months", "20251130"),
            ("last-6-months", "20250831"),
            ("all-time", "20170901"),
            ("whenever", "20250301"),
        ],
    )
    def test_a_walk_begins_today_and_goes_back_as_far_as_the_job_asks(self, date_posted, oldest):
        assert newest(date_posted, NOW) == Place("20260301", oldest)

    def test_today_is_the_day_in_utc(self):
        east = datetime.fromisoformat("2026-03-02T08:00:00+12:00")
        assert newest(None, east).last == "20260301"

    def test_windows_are_at_most_thirty_days_and_leave_no_day_out(self):
        # When
        place, windows = Place("20260301", "20251201"), []
        while place is not None:
            windows.append((place.first, place.last))
            place = place.older()
        # Then
        assert windows == [
            ("20260131", "20260301"),
            ("20260101", "20260130"),
            ("20251202", "20251231"),
            ("20251201", "20251201"),
        ]
        days = [datetime.strptime(one, "%Y%m%d").replace(tzinfo=UTC) for pair in windows for one in pair]
        assert all(last - first <= timedelta(days=29) for first, last in zip(days[::2], days[1::2], strict=True))
        assert all(newer - older == timedelta(days=1) for newer, older in zip(days[::2], days[3::2], strict=False))


class TestPages:
    def test_more_is_asked_for_with_the_cursor_and_the_search_id(self):
        found = read(page([1, 2], cursor=100, search_id="77"), walk())
        request = VIDEOS.request(QUERY, start_walk("videos", "latte", found.next_cursor))
        body = json.loads(request.body)
        assert (body["cursor"], body["search_id"]) == (100, "77")
        assert (body["start_date"], body["end_date"]) == ("20260131", "20260301")

    def test_a_page_without_a_search_id_keeps_the_one_before(self):
        found = read(page([1], cursor=200), walk(cursor=100, search_id="77"))
        assert place_of(start_walk("videos", "latte", found.next_cursor)).search_id == "77"

    @pytest.mark.parametrize("has_more", [False, None, "yes", 1])
    def test_a_window_without_more_is_followed_by_the_one_before_it(self, has_more):
        found = read(page([1], cursor=100, search_id="77", has_more=has_more), walk())
        assert (found.next_cursor, found.ended) == (walk(last="20260130").cursor, False)

    def test_the_oldest_window_without_more_is_the_end(self):
        found = read(page([1], has_more=False), walk(last="20251215"))
        assert (len(found.items), found.ended, found.end_reason) == (1, True, "exhausted")

    @pytest.mark.parametrize("videos", [[], None])
    def test_empty_pages_are_gone_over_while_more_is_announced(self, videos):
        # Given
        place, asked = walk(), 0
        # When
        while place_of(place).last == "20260301":
            body = {"data": {"videos": videos, "has_more": True, "cursor": 100 * (asked + 1), "search_id": "77"}}
            place = paging.advance(place, read(answer(body), place), 0)
            asked += 1
        # Then
        assert asked == MOST_EMPTY
        assert not place.ended
        assert place_of(place) == Place("20260130", "20251201")

    def test_a_page_with_videos_forgives_the_empty_ones_before(self):
        found = read(page([1], cursor=300, search_id="77"), walk(cursor=200, search_id="77", empty=9))
        assert place_of(start_walk("videos", "latte", found.next_cursor)).empty == 0

    def test_empty_windows_do_not_end_a_walk_before_its_last_day(self):
        # Given
        at, windows = walk(), []
        # When
        while not at.ended:
            windows.append(place_of(at).last)
            at = paging.advance(at, read(page([], has_more=False), at), 0)
        # Then
        assert windows == ["20260301", "20260130", "20251231", "20251201"]
        assert at.end_reason == "exhausted"

    @pytest.mark.parametrize("told_cursor", [100, 50, 0])
    def test_a_cursor_that_does_not_rise_ends_the_walk(self, told_cursor):
        at = walk(cursor=100, search_id="77")
        found = read(page([1], cursor=told_cursor, search_id="88"), at)
        assert paging.advance(at, found, 1).end_reason == "repeated_cursor"

    def test_a_lost_place_costs_its_window_and_no_more(self):
        # Given a walk that is within its second window
        at = walk()
        for has_more, told_cursor in ((False, 100), (True, 100), (True, 200)):
            found = read(page([told_cursor], cursor=told_cursor, search_id="77", has_more=has_more), at)
            at = paging.advance(at, found, 1)
        assert place_of(at) == Place("20260130", "20251201", 200, "77")
        # When
        lost = VIDEOS.judge(failure(400, "invalid_params", "Search Id 77 is invalid or expired"))
        again = paging.advance(at, Page(lost_place=True), 0)
        # Then
        assert lost.outcome is Outcome.RESET_CURSOR
        assert place_of(again) == Place("20260130", "20251201")
        assert not again.ended

    def test_each_window_may_be_lost_as_often_as_another(self):
        at = msgspec.structs.replace(walk(), resets=2)
        moved = paging.advance(at, read(page([1], has_more=False), at), 1)
        assert (moved.resets, moved.start) == (0, walk(last="20260130").cursor)
        stays = paging.advance(at, read(page([1], cursor=100, search_id="7"), at), 1)
        assert stays.resets == 2

    def test_ids_are_read_whole_under_either_name(self):
        videos = [{"video_id": 7028743950684949659, "username": "@a"}, {"id": "7028743950684949658", "username": "b"}]
        found = read(answer({"data": {"videos": videos, "has_more": False}}), walk())
        assert [(item.content_id, item.handle, item.key) for item in found.items] == [
            ("7028743950684949659", "a", "@a"),
            ("7028743950684949658", "b", "@b"),
        ]


class TestStarts:
    def test_words_and_hashtags_are_walks_of_their_own(self):
        query = Query("tiktok", SearchKind.KEYWORD, keywords=("latte", "#cat cafe"))
        assert [(one.source, one.word) for one in ADAPTER.starts(query)] == [
            ("videos", "latte"),
            ("hashtag", "catcafe"),
        ]

    def test_a_search_for_accounts_is_refused(self):
        query = Query("tiktok", SearchKind.KEYWORD, keywords=("latte",), word_kind="profiles")
        with pytest.raises(InvalidJob, match="expected keyword or hashtag"):
            ADAPTER.starts(query)


class TestAnswers:
    @pytest.mark.parametrize(
        ("response", "line"),
        [
            (answer({"error": {"code": "ok", "message": "", "log_id": "L1"}}), ""),
            (answer({"data": {}}), ""),
            (failure(400, "invalid_params", "Bad\nquery"), "invalid_params, Bad query, log_id L1"),
            (
                answer({"error": "invalid_client", "error_description": "Wrong.", "log_id": "L2"}),
                "invalid_client, Wrong., log_id L2",
            ),
            (Response(503, {}, b"<html>gone"), "not JSON: <html>gone"),
            (Response(504, {}, b""), "not JSON: empty body"),
            (Response(500, {}, b'{"error": 7}'), ""),
        ],
    )
    def test_an_answer_tells_its_error_and_log_id_in_one_line(self, response, line):
        assert told(response) == line

    @pytest.mark.parametrize(
        ("response", "outcome"),
        [
            (failure(200, "timeout"), Outcome.RETRY_NOW),
            (failure(200, "something"), Outcome.FALSE_SUCCESS),
            (failure(400, "scope_permission_missed"), Outcome.FIX_CONFIGURATION),
            (failure(400, "invalid_params", "Invalid count or cursor"), Outcome.RESET_CURSOR),
            (failure(400, "invalid_params", "Invalid date"), Outcome.STOP_JOB),
        ],
    )
    def test_codes_decide_where_the_status_does_not(self, response, outcome):
        assert VIDEOS.judge(response).outcome is outcome

    def test_a_spent_quota_waits_until_midnight_in_utc_and_a_rate_limit_a_minute(self, monkeypatch):
        monkeypatch.setattr(endpoint_module, "utc_now", lambda: NOW)
        spent = VIDEOS.judge(failure(429, "daily_quota_limit_exceeded"))
        assert (spent.outcome, spent.wait) == (Outcome.WAIT, timedelta(minutes=30))
        slow = VIDEOS.judge(failure(429, "rate_limit_exceeded"))
        assert (slow.outcome, slow.wait) == (Outcome.RATE_LIMITED, timedelta(seconds=60))

    @pytest.mark.parametrize(
        ("now", "wait"),
        [
            (datetime(2026, 3, 1, tzinfo=UTC), timedelta(days=1)),
            (datetime.fromisoformat("2026-03-02T01:00:00+02:00"), timedelta(hours=1)),
        ],
    )
    def test_midnight_is_that_of_utc(self, now, wait):
        assert until_midnight(now) == wait

    @pytest.mark.parametrize(("status", "used"), [(200, 1), (500, 1), (503, 1), (400, 0), (401, 0), (429, 0)])
    def test_a_failure_of_theirs_uses_up_quota_and_a_refusal_does_not(self, status, used):
        assert VIDEOS.charged(failure(status, "x")) == used


class TestAccounts:
    def test_one_is_asked_for_by_its_handle(self):
        request = USERS.request([BARISTA])
        assert (request.path, json.loads(request.body)) == ("/v2/research/user/info/", {"username": "barista"})
        assert USERS.wanted(BARISTA)
        assert not USERS.wanted(Item("", "7", "", None))

    def test_a_found_one_fills_what_videos_lack(self):
        # Given
        data = {
            "display_name": "Barista\x00 One",
            "bio_description": "Mail Me@Roast.example",
            "bio_url": "mailto:team@roast.example",
            "avatar_url": "https://p.example/a.jpeg",
            "is_verified": True,
            "follower_count": 2**40,
            "following_count": -1,
            "likes_count": 27,
            "video_count": 44,
        }
        # When
        profiles, cost = USERS.parse(answer({"data": data, "error": {"code": "ok"}}), [BARISTA])
        item = read(answer({"data": {"videos": [{"id": 7, "username": "barista"}]}}), walk()).items[0]
        provenance = Provenance("tiktok_research", "x", 1, NOW, 1)
        creator = ADAPTER.normalise(item, profiles["@barista"], "completed", provenance).creator
        # Then
        assert cost == 1
        profile = profiles["@barista"]
        assert (profile.following, profile.posts, profile.likes) == (None, 44, 27)
        assert (creator.name, creator.followers, creator.verified) == ("Barista One", 2**40, True)
        assert creator.emails == ["me@roast.example", "team@roast.example"]
        assert creator.profile_pic_url == creator.avatar_url == "https://p.example/a.jpeg"

    def test_an_unknown_or_private_one_is_gone(self):
        judgement = USERS.judge(failure(400, "invalid_params", "user not found"))
        assert (judgement.outcome, judgement.rule) == (Outcome.NOT_FOUND, "no_such_user")

    @pytest.mark.parametrize(
        ("body", "reason"),
        [
            (b'{"data": {}, "error": {"code": "ok"}}', "missing_user"),
            (b'{"error": {"code": "ok"}}', "missing_user"),
            (b'{"data": []}', "wrong_profile_shape"),
            (b'{"data": {"bio', "not_json"),
        ],
    )
    def test_another_shape_is_refused(self, body, reason):
        with pytest.raises(ShapeError) as caught:
            USERS.parse(Response(200, {}, body), [BARISTA])
        assert caught.value.reason == reason

    def test_what_nobody_told_is_named(self):
        item = read(answer({"data": {"videos": [{"id": 7, "username": "barista"}]}}), walk()).items[0]
        creator = ADAPTER.normalise(item, Profile("gone"), "completed", Provenance("t", "x", 1, NOW, 1))
        assert len(creator.provenance.unknown) == 5
        assert creator.creator.name == "barista"
        assert creator.facts().posted_at is None
