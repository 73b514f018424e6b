"""YouTube by its own Data API: what is its alone."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from platforms.contract import Query, SearchKind
from platforms.normalise.youtube_countries import country_code
from platforms.outcome import Outcome
from platforms.pages import OPENED, Item, start_walk
from platforms.profile import Profile
from platforms.youtube_data_api.channels import ChannelLookup
from platforms.youtube_data_api.outcomes import until_midnight_pacific
from platforms.youtube_data_api.search import oldest
from tests.conformance.kit import answer, html
from tests.conformance.kits.scrapecreators_youtube import TARGET, channel_id
from tests.conformance.kits.youtube_data_api import KEYWORD, TARGET_STEP, TOPIC, channel, channels, error, page, result
from tests.conformance.test_sources import NOW, read, stored
from worker.errors import ShapeError

LOOKUP = ChannelLookup()


def creators(*numbers: int) -> list[Item]:
    return [Item(channel_id(number), f"vid{number}", "", None) for number in numbers]


class TestSearch:
    def test_kinds_are_told_apart_and_playlists_dropped(self):
        # Given
        found_channel = result(2) | {"id": {"kind": "youtube#channel", "channelId": channel_id(2)}}
        playlist = result(3) | {"id": {"kind": "youtube#playlist", "playlistId": "PL1"}}
        # When
        found = read(KEYWORD, page([result(1), playlist, found_channel], 1))
        # Then
        assert [item.content_id for item in found.items] == ["vid00000001", channel_id(2)]
        assert (found.dropped, found.unreadable) == (1, ())
        assert read(KEYWORD, page([result(1), playlist, None], 1)).dropped == 1

    def test_a_page_of_playlists_alone_is_a_page_and_not_another_shape(self):
        playlist = result(3) | {"id": {"kind": "youtube#playlist", "playlistId": "PL1"}}
        assert read(KEYWORD, page([playlist], 1)).items == ()

    def test_no_items_at_all_is_the_end_when_the_answer_is_a_list(self):
        found = read(KEYWORD, answer({"kind": "youtube#searchListResponse", "pageInfo": {"totalResults": 0}}))
        assert (found.ended, found.end_reason, found.credits) == (True, "exhausted", 100)

    def test_the_estimate_of_all_results_is_not_believed(self):
        assert not read(KEYWORD, page([], 1)).ended

    def test_a_page_token_goes_with_the_same_parameters(self):
        walk = msgspec.structs.replace(KEYWORD.walk, cursor="CBkQAA", ordinal=1)
        assert KEYWORD.read.request(KEYWORD.query, walk).params == {**KEYWORD.first_request[1], "pageToken": "CBkQAA"}

    def test_the_oldest_date_is_settled_once_for_all_pages(self):
        # Given
        query = Query("youtube", SearchKind.KEYWORD, keywords=("tea",), options={"date_posted": "this-week"})
        since = oldest(query, NOW)
        walk = start_walk("search", "tea", since)
        # When
        first = KEYWORD.read.request(query, walk).params
        further = KEYWORD.read.request(query, msgspec.structs.replace(walk, cursor="CBkQAA", ordinal=1)).params
        # Then
        assert since == "2026-02-22T00:00:00Z"
        assert first["publishedAfter"] == further["publishedAfter"] == since
        assert ("pageToken" in first, further["pageToken"]) == (False, "CBkQAA")
        assert KEYWORD.adapter.starts(query)[0].cursor

    def test_without_a_date_no_date_is_asked_for(self):
        assert oldest(KEYWORD.query, NOW) == ""
        assert "publishedAfter" not in KEYWORD.first_request[1]

    def test_hashtags_and_accounts_are_searched_as_such(self):
        tags = Query("youtube", SearchKind.KEYWORD, keywords=("#latte",))
        assert [walk.word for walk in KEYWORD.adapter.starts(tags)] == ["#latte"]
        accounts = Query("youtube", SearchKind.KEYWORD, keywords=("latte",), word_kind="profiles")
        walk = KEYWORD.adapter.starts(accounts)[0]
        assert KEYWORD.read.request(accounts, walk).params["type"] == "channel"

    def test_a_duration_is_asked_for_of_videos_alone(self):
        # The provider refuses a duration where channels may come too.
        query = Query("youtube", SearchKind.KEYWORD, keywords=("tea",), options={"duration": "long"})
        params = KEYWORD.read.request(query, start_walk("search", "tea", "")).params
        assert (params["type"], "videoDuration" in params) == ("video,channel", False)


class TestChannels:
    def test_fifty_are_asked_for_at_once(self):
        request = LOOKUP.request(creators(*range(50)))
        assert (LOOKUP.most, request.params["id"].count(","), request.params["maxResults"]) == (50, 49, "50")

    def test_they_are_told_apart_whatever_their_order_and_missing_ones_are_left_out(self):
        profiles, cost = LOOKUP.parse(channels(channel(3), channel(1)), creators(1, 2, 3))
        assert {key: profile.name for key, profile in profiles.items()} == {
            channel_id(1): "Barista 1",
            channel_id(3): "Barista 3",
        }
        assert cost == 1

    def test_an_answer_without_any_channel_means_that_all_are_gone(self):
        assert LOOKUP.parse(channels(), creators(1)) == ({}, 1)

    def test_a_channel_becomes_a_profile(self):
        profiles, _ = LOOKUP.parse(channels(channel(1)), creators(1))
        assert profiles[channel_id(1)] == Profile(
            status="found",
            bio="Espresso recipes. Write to hello@studiocoffee.example",
            emails=["hello@studiocoffee.example"],
            followers=42500,
            avatar_url="https://yt3.example/1=s800-c-rj",
            handle="barista1",
            name="Barista 1",
            posts=256,
            views=22790316,
            country="PT",
            joined="2017-03-08T09:00:00Z",
        )
        assert country_code(profiles[channel_id(1)].country) == "PT"

    def test_hidden_subscribers_are_unknown_and_not_none(self):
        hidden = channel(1, statistics={"subscriberCount": "0", "hiddenSubscriberCount": True, "viewCount": "5"})
        profile = LOOKUP.parse(channels(hidden), creators(1))[0][channel_id(1)]
        assert (profile.followers, profile.views) == (None, 5)
        creator = stored(KEYWORD, read(KEYWORD, page([result(1)], 1)).items[0], profile, "completed")
        assert "creator.followers" in creator["provenance"]["unknown"]

    def test_only_ids_of_channels_are_asked_for(self):
        assert LOOKUP.wanted(creators(1)[0])
        assert not LOOKUP.wanted(Item("", "v", "barista1", None))
        assert not LOOKUP.wanted(Item("UC1,UC2", "v", "", None))

    @pytest.mark.parametrize(
        ("body", "reason"), [({"items": {}}, "wrong_profile_shape"), ({}, "missing_list")], ids=["shape", "no list"]
    )
    def test_another_shape_is_refused(self, body, reason):
        with pytest.raises(ShapeError) as caught:
            LOOKUP.parse(answer(body), creators(1))
        assert caught.value.reason == reason


class TestSimilar:
    def test_the_target_opens_a_search_for_each_of_its_topics(self):
        step = TARGET_STEP.read.parse(TARGET_STEP.good, TARGET_STEP.query, TARGET_STEP.walk)
        assert [walk.word for walk in step.walks] == ["espresso", "latte art", "recipes"]
        assert {walk.start for walk in step.walks} == {channel_id(1)}
        assert (step.step, step.end_reason, step.credits) == (True, OPENED, 1)

    def test_a_target_that_does_not_exist_stops_the_job(self):
        step = TARGET_STEP.read.parse(channels(), TARGET_STEP.query, TARGET_STEP.walk)
        assert step.judgement is not None
        assert step.judgement.outcome is Outcome.STOP_JOB
        assert TARGET_STEP.read.judge(error(404, "channelNotFound")).outcome is Outcome.STOP_JOB

    def test_a_target_without_topics_ends_with_a_clear_reason(self):
        bare = channel(1, snippet={"title": "x"}, brandingSettings=None)
        step = TARGET_STEP.read.parse(channels(bare), TARGET_STEP.query, TARGET_STEP.walk)
        assert (step.walks, step.end_reason) == ((), "no_related")

    def test_the_target_is_dropped_from_what_its_topics_find(self):
        own = result(2)
        own["snippet"]["channelId"] = TARGET
        found = read(TOPIC, page([own, result(1)], 1))
        assert ([item.creator_id for item in found.items], found.dropped) == ([channel_id(1)], 1)


class TestOutcomes:
    @pytest.mark.parametrize("reason", ["quotaExceeded", "dailyLimitExceeded"])
    def test_a_used_up_quota_waits_until_it_begins_anew(self, reason):
        judgement = KEYWORD.read.judge(error(403, reason))
        assert judgement.outcome is Outcome.WAIT
        assert judgement.wait is not None
        assert timedelta(0) < judgement.wait <= timedelta(hours=25, minutes=1)
        assert KEYWORD.read.charged(error(403, reason)) == 0

    @pytest.mark.parametrize(
        ("now", "hours"),
        [
            (datetime(2026, 7, 1, 6, 0, tzinfo=UTC), 1),
            (datetime(2026, 7, 1, 7, 0, tzinfo=UTC), 24),
            (datetime(2026, 12, 1, 7, 0, tzinfo=UTC), 1),
            # The days on which clocks change there have 23 and 25 hours.
            (datetime(2026, 3, 8, 8, 0, tzinfo=UTC), 23),
            (datetime(2026, 11, 1, 7, 0, tzinfo=UTC), 25),
        ],
    )
    def test_the_day_ends_at_midnight_in_california(self, now, hours):
        assert until_midnight_pacific(now) == timedelta(hours=hours, minutes=1)

    def test_a_limit_by_the_day_is_a_quota_in_the_newer_form_too(self):
        limit = {"quota_limit": "defaultSearchListPerDayPerProject"}
        details = [{"@type": "ErrorInfo", "reason": "RATE_LIMIT_EXCEEDED", "metadata": limit}]
        told = answer({"error": {"code": 429, "status": "RESOURCE_EXHAUSTED", "details": details}}, 429)
        assert KEYWORD.read.judge(told).rule == "quota_exceeded"

    @pytest.mark.parametrize(
        ("response", "rule"),
        [
            (error(429, status="RESOURCE_EXHAUSTED", details=[{"reason": "RATE_LIMIT_EXCEEDED"}]), "rate_limited"),
            (error(429), "rate_limited"),
            (error(400, "badRequest", details=[{"reason": "API_KEY_INVALID"}]), "bad_key"),
            (answer({"error": "invalid_grant", "error_description": "Bad"}, 401), "bad_key"),
            (answer({"message": "no"}, 401), "bad_key"),
            (error(403, "SERVICE_UNAVAILABLE", status="PERMISSION_DENIED"), "provider_fault"),
            (error(403, "forbidden", status="PERMISSION_DENIED"), "project_refused"),
            (answer({"error": {"errors": "many"}}, 403), "forbidden"),
            (answer({"message": "no"}, 503), "provider_fault"),
            (html(502), "provider_fault"),
            (error(404), "unknown_route"),
        ],
    )
    def test_the_reason_decides_then_the_status(self, response, rule):
        assert KEYWORD.read.judge(response).rule == rule

    def test_a_quota_message_is_shown_without_its_markup(self):
        message = 'You have exceeded your <a href="/x">quota</a>.'
        told = answer({"error": {"message": message, "errors": [{"reason": "quotaExceeded"}]}}, 403)
        assert "You have exceeded your quota ." in KEYWORD.read.judge(told).message

    def test_a_refusal_costs_one_unit_and_a_fault_of_theirs_none(self):
        assert KEYWORD.read.charged(error(400, "invalidSearchFilter")) == 1
        assert KEYWORD.read.charged(error(500, "backendError")) == 0
        assert KEYWORD.read.charged(html(200)) == 100
