"""TikTok keyword search by ScrapeCreators: what is its alone."""

import json

import pytest

from platforms.pages import Response
from platforms.profile import Profile
from tests.conformance.kits.scrapecreators_tiktok import KEYWORD
from tests.conformance.test_sources import read, replaced, stored


class TestTikTokKeyword:
    kit = KEYWORD

    def item(self, **changes):
        item = self.kit.item(1)
        for path, value in changes.items():
            *parents, last = path.split("__")
            place = item["aweme_info"]
            for parent in parents:
                place = place[parent]
            place[last] = value
        return item

    def read(self, **changes):
        return read(self.kit, self.kit.page([self.item(**changes)], 1)).items[0]

    @pytest.mark.parametrize(
        ("told", "number"),
        [("123", 123), (123.0, 123), (None, None), (-5, None), ("many", None), (True, None), ({}, None)],
    )
    def test_numbers_are_read_as_told_and_unknown_ones_are_named(self, told, number):
        # When
        changes = {"author__follower_count": told, "statistics__digg_count": told}
        creator = stored(self.kit, self.read(**changes))
        # Then
        assert creator["creator"]["followers"] == (number or 0)
        assert creator["video"]["statistics"]["likes"] == (number or 0)
        unknown = [] if number is not None else ["video.statistics.likes", "creator.followers"]
        assert creator["provenance"]["unknown"] == unknown

    def test_missing_statistics_are_four_unknown_numbers(self):
        creator = stored(self.kit, self.read(statistics=None))
        assert creator["video"]["statistics"] == {"likes": 0, "comments": 0, "views": 0, "shares": 0}
        assert len(creator["provenance"]["unknown"]) == 4

    def test_integer_ids_are_read_as_text(self):
        item = self.read(aweme_id=7139691574153202990, author__uid=6823986587161265158)
        assert (item.content_id, item.creator_id) == ("7139691574153202990", "6823986587161265158")

    @pytest.mark.parametrize(
        ("changes", "reason"),
        [
            ({"author__uid": ""}, "no_creator_id"),
            ({"author__uid": 0}, "no_creator_id"),
            ({"aweme_id": "\x00 "}, "no_content_id"),
            ({"author__uid": None}, "wrong_item_shape"),
            ({"author": None}, "wrong_item_shape"),
            ({"desc": 5}, "wrong_item_shape"),
            ({"statistics": []}, "wrong_item_shape"),
        ],
    )
    def test_an_item_without_identity_or_of_another_type_is_unreadable(self, changes, reason):
        page = read(self.kit, self.kit.page([self.item(**changes), self.kit.item(2)], 1))
        assert [item.handle for item in page.items] == ["barista2"]
        assert [item.reason for item in page.unreadable] == [reason]

    def test_a_missing_cursor_is_one_page_further(self):
        response = replaced(self.kit.page([self.kit.item(1)], 2), b'"cursor": 60, ', b"")
        assert read(self.kit, response, 2).next_cursor == 60

    @pytest.mark.parametrize("ending", [{}, {"search_item_list": None}, {"search_item_list": []}], ids=str)
    def test_the_end_is_an_empty_or_missing_list_with_nil_info(self, ending):
        body = json.dumps({"cursor": 30, "search_nil_info": {"search_nil_item": "pack_nil"}, **ending}).encode()
        assert read(self.kit, Response(200, {}, body)).ended

    @pytest.mark.parametrize(("charged", "cost"), [(0, 0), (3, 3), (None, 1), (-1, 1), ("free", 1)])
    def test_a_page_costs_what_it_says_else_the_list_price(self, charged, cost):
        body = json.loads(self.kit.page([self.kit.item(1)], 1).body)
        response = Response(200, {}, json.dumps({**body, "credits_charged": charged}).encode())
        assert read(self.kit, response).credits == cost

    def test_a_profile_adds_what_the_search_lacks(self):
        # Given
        profile = Profile("found", "Say hi: a@b.co", ["a@b.co"], True, 1234567, "https://p.example/x.jpeg", [])
        # When
        creator = stored(self.kit, self.read(), profile, "completed")
        # Then
        assert creator["creator"] == {
            **self.kit.creator(1)["creator"],
            "bio": "Say hi: a@b.co",
            "emails": ["a@b.co"],
            "verified": True,
            "followers": 1234567,
        }
        assert creator["enhancementStatus"] == "completed"
