"""YouTube by ScrapeCreators: what is its alone."""

import json

import msgspec
import pytest

from platforms.contract import Query, SearchKind
from platforms.filters import Filters, passes
from platforms.normalise.youtube import PLATFORM
from platforms.outcome import Outcome
from platforms.pages import OPENED, Item, Response, start_walk
from platforms.profile import Profile, Provenance
from platforms.registry import find
from platforms.scrapecreators.youtube.channel import ChannelLookup
from tests.conformance.kit import answer, html
from tests.conformance.kits.scrapecreators_youtube import (
    KEYWORD,
    TARGET,
    TARGET_STEP,
    TOPIC,
    about,
    channel_id,
    short_without_channel,
    video,
)
from tests.conformance.test_sources import NOW, read, stored
from worker.errors import ShapeError

LOOKUP = ChannelLookup()
SOMEONE = Item(TARGET, "vid", "studiocoffee", None)


def search(kit=KEYWORD, **lists):
    return read(kit, answer({"success": True, "continuationToken": "x", **lists}))


def profile(**changes):
    profiles, _ = LOOKUP.parse(answer(about(**changes)), [SOMEONE])
    return profiles[SOMEONE.key]


class TestResults:
    def test_every_list_of_a_page_is_read(self):
        # Given
        found_channel = {
            "type": "channel",
            "id": channel_id(9),
            "channelName": "Grinders",
            "handle": "grinders",
            "description": "Write to grind@studiocoffee.example",
            "thumbnail": "https://yt3.example/9",
            "subscriberCountText": "20M",
            "subscriberCountInt": None,
            "badges": ["Verified"],
        }
        # When
        read_page = search(
            videos=[video(1)],
            shorts=[video(2) | {"type": "short"}],
            lives=[video(3) | {"type": "live"}],
            channels=[found_channel],
            shelves=[{"type": "shelf", "items": [video(4)]}, {"type": "shelf", "items": None}],
        )
        # Then
        assert [item.creator_id for item in read_page.items] == [channel_id(number) for number in (1, 2, 3, 9, 4)]
        whole = stored(KEYWORD, read_page.items[3])
        assert whole["creator"]["followers"] == 20_000_000
        assert whole["creator"]["verified"] is True
        assert whole["creator"]["emails"] == ["grind@studiocoffee.example"]
        assert whole["video"]["url"] == ""

    def test_shorts_of_a_shelf_that_name_no_channel_are_dropped_and_counted(self):
        shelf = {"type": "shelf", "items": [short_without_channel(1), video(2), short_without_channel(3)]}
        read_page = search(videos=[video(1)], shelves=[shelf])
        assert [item.content_id for item in read_page.items] == ["vid00000001", "vid00000002"]
        assert (read_page.dropped, read_page.unreadable) == (2, ())

    def test_they_are_dropped_also_where_another_item_is_unreadable(self):
        shelf = {"type": "shelf", "items": [short_without_channel(1), {"id": 5}, video(2)]}
        read_page = search(videos=[video(1)], shelves=[shelf, "no shelf"])
        assert [item.content_id for item in read_page.items] == ["vid00000001", "vid00000002"]
        assert [json.loads(one.raw) for one in read_page.unreadable] == [{"id": 5}, "no shelf"]
        assert read_page.dropped == 1

    def test_a_video_without_a_channel_is_unreadable_and_not_dropped(self):
        read_page = search(videos=[video(1), short_without_channel(2)])
        assert [one.reason for one in read_page.unreadable] == ["no_channel"]
        assert read_page.dropped == 0

    def test_a_channel_that_is_known_by_handle_alone_stays(self):
        nameless = video(1) | {"channel": {"id": None, "title": "", "handle": "barista1"}}
        item = search(videos=[nameless]).items[0]
        assert (item.creator_id, item.handle, item.key) == ("", "barista1", "@barista1")
        assert stored(KEYWORD, item)["creator"]["name"] == "barista1"

    @pytest.mark.parametrize(
        ("told", "views"),
        [
            ({"viewCountText": "331K", "viewCountInt": None}, 331_000),
            ({"viewCountText": "No views", "viewCountInt": None}, 0),
            ({"viewCountText": "1.2M views", "viewCountInt": "?"}, 1_200_000),
            ({"viewCountText": None, "viewCountInt": None}, None),
            ({"viewCountText": "Scheduled", "viewCountInt": None}, None),
        ],
    )
    def test_views_are_read_from_the_number_else_the_text(self, told, views):
        creator = stored(KEYWORD, search(videos=[video(1) | told]).items[0])
        assert creator["video"]["statistics"]["views"] == (views or 0)
        assert ("video.statistics.views" in creator["provenance"]["unknown"]) is (views is None)

    def test_what_the_search_never_tells_is_named_unknown(self):
        creator = stored(KEYWORD, search(videos=[video(1) | {"lengthSeconds": None}]).items[0])
        assert creator["provenance"]["unknown"] == [
            "video.statistics.likes",
            "video.statistics.comments",
            "video.statistics.shares",
            "creator.verified",
            "creator.followers",
            "lengthSeconds",
        ]

    @pytest.mark.parametrize("token", [None, "", 5])
    def test_a_missing_page_marker_is_the_end(self, token):
        read_page = read(KEYWORD, answer({"videos": [video(1)], "continuationToken": token}))
        assert (read_page.ended, len(read_page.items)) == (True, 1)

    def test_the_marker_goes_with_all_parameters_of_its_query(self):
        walk = msgspec.structs.replace(KEYWORD.walk, cursor="4qmFsgJ=", ordinal=1)
        request = KEYWORD.read.request(KEYWORD.query, walk)
        assert request.params == {**KEYWORD.first_request[1], "continuationToken": "4qmFsgJ="}

    def test_words_of_a_search_for_accounts_find_channels(self):
        accounts = Query("youtube", SearchKind.KEYWORD, keywords=("coffee",), word_kind="profiles")
        walk = KEYWORD.adapter.starts(accounts)[0]
        assert KEYWORD.read.request(accounts, walk).params["type"] == "channels"


class TestChannel:
    def test_an_id_is_asked_for_as_an_id_and_a_handle_as_a_handle(self):
        # An id given as a handle is a 404, and charged.
        assert LOOKUP.request([SOMEONE]).params == {"channelId": TARGET}
        assert LOOKUP.request([Item("", "v", "barista1", None)]).params == {"handle": "barista1"}
        assert not LOOKUP.wanted(Item("", "v", "", None))

    def test_the_profile_holds_what_the_search_lacks(self):
        assert profile() == Profile(
            status="found",
            bio="Espresso and filter recipes.\nWrite to hello@studiocoffee.example",
            emails=["hello@studiocoffee.example", "shop@studiocoffee.example"],
            followers=42500,
            avatar_url="https://yt3.example/t=s160-c-rj",
            links=["https://store.studiocoffee.example", "mailto:shop@studiocoffee.example"],
            handle="StudioCoffee",
            name="Studio Coffee",
            posts=256,
            views=22790316,
            country="Portugal",
            joined="Joined Mar 8, 2017",
        )

    def test_the_address_of_the_channel_goes_first(self):
        assert profile(email="Direct@Studiocoffee.example").emails[0] == "direct@studiocoffee.example"

    def test_keys_named_after_links_are_never_read(self):
        # A link's title can be any of the names we read under, in another type.
        told = about(verified=True, followers="https://x.example", bio="https://y.example")
        profiles, _ = LOOKUP.parse(answer(told), [SOMEONE])
        assert profiles[SOMEONE.key] == profile()

    def test_a_link_that_took_a_key_over_costs_that_key_and_not_the_profile(self):
        url = "https://x.example"
        taken = profile(country=url, email=url, tags=url, keywords=url, links=url, avatar=url)
        assert (taken.country, taken.links, taken.avatar_url) == ("", [], "")
        assert taken.emails == ["hello@studiocoffee.example"]

    def test_missing_numbers_are_read_from_their_texts_else_unknown(self):
        assert profile(subscriberCount=None).followers == 42500
        hidden = profile(subscriberCount=None, subscriberCountText=None)
        assert hidden.followers is None

    def test_a_missing_channel_costs_a_credit_and_an_unknown_route_none(self):
        gone = answer({"success": True, "accountDoesNotExist": True, "error": "not_found"}, 404)
        assert LOOKUP.judge(gone).outcome is Outcome.NOT_FOUND
        assert LOOKUP.charged(gone) == 1
        assert LOOKUP.charged(html(404)) == 0
        assert LOOKUP.charged(answer({"error": "forbidden", "message": "no"}, 403)) == 0

    def test_a_cached_channel_costs_nothing(self):
        _, cost = LOOKUP.parse(answer(about(credits_charged=0, cached=True)), [SOMEONE])
        assert cost == 0

    def test_a_profile_fills_the_stored_creator(self):
        creator = stored(KEYWORD, search(videos=[video(1)]).items[0], profile(), "completed")
        assert creator["creator"] == {
            "name": "Barista 1",
            "followers": 42500,
            "avatarUrl": "https://yt3.example/t=s160-c-rj",
            "profilePicUrl": "https://yt3.example/t=s160-c-rj",
            "bio": "Espresso and filter recipes.\nWrite to hello@studiocoffee.example",
            "emails": ["hello@studiocoffee.example", "shop@studiocoffee.example"],
            "socialLinks": ["https://store.studiocoffee.example", "mailto:shop@studiocoffee.example"],
            "channelId": channel_id(1),
            "handle": "StudioCoffee",
            "uniqueId": "StudioCoffee",
            "verified": False,
            "country": "Portugal",
            "joinedDateText": "Joined Mar 8, 2017",
            "id": channel_id(1),
        }

    def test_filters_know_the_country_by_its_code_and_the_age_of_the_video(self):
        # Given
        provenance = Provenance("scrapecreators", "x", 1, NOW, 1)
        item = search(videos=[video(1)]).items[0]
        facts = KEYWORD.adapter.normalise(item, profile(), "completed", provenance).facts()
        # Then
        assert passes(Filters(countries=("PT",), min_followers=42_500, min_views=800_000), facts, NOW)
        assert not passes(Filters(countries=("US",)), facts, NOW)
        assert not passes(Filters(min_likes=1), facts, NOW)
        assert facts.posted_at is not None
        assert facts.posted_at.year == 2021


class TestSimilar:
    def read_target(self, **changes):
        return TARGET_STEP.read.parse(answer(about(**changes)), TARGET_STEP.query, TARGET_STEP.walk)

    def test_the_target_opens_a_search_for_each_of_its_topics(self):
        step = self.read_target()
        assert [walk.word for walk in step.walks] == ["espresso", "latte art", "filter coffee", "filter", "recipes"]
        assert {(walk.source, walk.cursor, walk.start) for walk in step.walks} == {("topic", TARGET, TARGET)}
        assert (step.step, step.ended, step.end_reason, step.items) == (True, True, OPENED, ())

    def test_a_target_that_tells_nothing_of_itself_ends_the_job_with_a_clear_reason(self):
        step = self.read_target(tags=None, description="")
        assert (step.walks, step.ended, step.end_reason) == ((), True, "no_related")

    def test_a_target_given_by_id_is_asked_for_by_id(self):
        walk = start_walk("target", TARGET, "")
        assert TARGET_STEP.read.request(TARGET_STEP.query, walk).params == {"channelId": TARGET}

    @pytest.mark.parametrize("status", [403, 404])
    def test_a_target_that_is_gone_or_closed_stops_the_job(self, status):
        response = answer({"success": False, "error": "gone", "message": "Account doesn't exist"}, status)
        assert TARGET_STEP.read.judge(response).outcome is Outcome.STOP_JOB

    def test_the_target_itself_is_dropped_by_id_and_by_handle(self):
        by_id = video(1) | {"channel": {"id": TARGET, "title": "Renamed", "handle": "other"}}
        by_handle = video(2) | {"channel": {"id": None, "title": "x", "handle": "studiocoffee"}}
        found = search(TOPIC, videos=[by_id, video(3), by_handle], shelves=[{"items": [short_without_channel(9)]}])
        assert [item.creator_id for item in found.items] == [channel_id(3)]
        assert found.dropped == 3

    def test_channels_with_most_videos_then_most_views_come_first(self):
        # Given: channel 3 with two videos, and its most viewed one second.
        second = video(3) | {"id": "vidbest", "viewCountInt": 5_000_000}
        # When
        items = search(TOPIC, videos=[video(2), video(3), video(1), second, video(3)]).items
        # Then
        order = list(dict.fromkeys(item.creator_id for item in items))
        assert order == [channel_id(3), channel_id(1), channel_id(2)]
        best = stored(TOPIC, items[0])
        assert [one["id"] for one in best["videos"]] == ["vidbest", "vid00000003"]

    def test_subscribers_are_told_as_text(self):
        item = search(TOPIC, videos=[video(1)]).items[0]
        similar = stored(TOPIC, item, profile(), "completed")
        assert similar["subscriberCount"] == "42.5K subscribers"
        assert similar["creator"]["followers"] == 42500
        assert similar["platform"] == PLATFORM


def test_scrapecreators_goes_before_the_platforms_own_interface():
    for kind in (KEYWORD.query.kind, TOPIC.query.kind):
        assert [one.capability.provider for one in find("YouTube", kind)] == ["scrapecreators", "youtube_data_api"]


def test_a_step_has_no_items_to_read_again():
    with pytest.raises(ShapeError):
        TARGET_STEP.read.reread(b"{}", TARGET_STEP.query, TARGET_STEP.walk)


def test_a_body_that_is_no_object_is_refused():
    with pytest.raises(ShapeError):
        read(KEYWORD, Response(200, {}, b"[]"))
