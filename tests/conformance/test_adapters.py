"""Every adapter of the registry against the contract."""

import json
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from platforms import cursor, paging
from platforms.contract import Adapter, Profile, Provenance, Response, StaleCursor
from platforms.outcome import Outcome
from platforms.registry import ADAPTERS
from tests.conformance.bodies import KITS, TIKTOK_KEYWORD, WORD, Kit
from worker.errors import ShapeError

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
LONE_SURROGATE = rb"\ud83d"


def _key(adapter: Adapter):
    return adapter.capability.platform, adapter.capability.kind, adapter.capability.provider


@pytest.fixture(params=ADAPTERS, ids=lambda adapter: "-".join(_key(adapter)))
def adapter(request):
    return request.param


@pytest.fixture
def kit(adapter) -> Kit:
    return KITS[_key(adapter)]


def provenance(adapter):
    return Provenance(adapter.capability.provider, adapter.capability.endpoint, adapter.capability.version, NOW, 1)


def stored(adapter, item, profile=None, status="skipped"):
    return json.loads(msgspec.json.encode(adapter.normalise(item, profile, status, provenance(adapter))))


def without_provenance(creator):
    return {key: value for key, value in creator.items() if key != "provenance"}


def replaced(response: Response, old: bytes, new: bytes, times: int = 1) -> Response:
    assert old in response.body
    return Response(response.status, response.headers, response.body.replace(old, new, times))


def test_every_adapter_has_a_kit():
    assert {_key(adapter) for adapter in ADAPTERS} == set(KITS)


def test_the_first_request_asks_for_the_word_at_the_first_cursor(adapter, kit):
    request = adapter.request(kit.query, WORD, adapter.first_cursor)
    assert (request.path, dict(request.params)) == kit.first_request


def test_a_first_page_becomes_exactly_these_creators(adapter, kit):
    # Given
    response = kit.page([kit.item(1), kit.item(2)], 30)
    # When
    page = adapter.parse(response, adapter.first_cursor)
    # Then
    assert adapter.judge(response).outcome is Outcome.OK
    assert [without_provenance(stored(adapter, item)) for item in page.items] == [kit.creator(1), kit.creator(2)]
    assert (page.ended, page.next_cursor, page.unreadable, page.credits) == (False, 30, (), 1)
    assert stored(adapter, page.items[0])["provenance"]["unknown"] == []


def test_a_walk_over_pages_ends_where_the_provider_says(adapter, kit):
    # Given
    pages = [kit.page([kit.item(1)], 30), kit.page([kit.item(2)], 60), kit.ended]
    envelope = cursor.start(kit.query, adapter, NOW)
    seen = []
    # When
    for response in pages:
        index = cursor.next_walk(envelope)
        walk = envelope.walks[index]
        page = adapter.parse(response, walk.cursor)
        seen += [item.creator_id for item in page.items]
        envelope = cursor.with_walk(envelope, index, paging.advance(walk, page, len(page.items)), NOW)
    # Then
    assert cursor.next_walk(envelope) is None
    assert envelope.walks[0].end_reason == "exhausted"
    assert envelope.walks[0].ordinal == 3
    assert len(set(seen)) == 2


def test_the_end_has_no_items_and_no_next_cursor(adapter, kit):
    page = adapter.parse(kit.ended, 90)
    assert (page.items, page.ended, page.next_cursor) == ((), True, None)


def test_an_empty_list_alone_is_not_the_end(adapter, kit):
    page = adapter.parse(kit.empty, 30)
    assert (page.items, page.ended, page.next_cursor) == ((), False, 60)


def test_pages_with_nothing_new_end_a_walk(adapter, kit):
    walk = cursor.start(kit.query, adapter, NOW).walks[0]
    for asked in (0, 30, 60):
        walk = paging.advance(walk, adapter.parse(kit.page([kit.item(1)], asked + 30), asked), 0)
    assert walk.end_reason == "nothing_new"


@pytest.mark.parametrize("cursor_told", [30, 0], ids=["the same", "an earlier one"])
def test_a_cursor_that_does_not_move_on_ends_a_walk(adapter, kit, cursor_told):
    # Given
    walk = cursor.Walk(WORD, 30, ordinal=1)
    # When
    page = adapter.parse(kit.page([kit.item(1)], cursor_told), 30)
    # Then
    assert len(page.items) == 1
    assert paging.advance(walk, page, 1).end_reason == "repeated_cursor"


def shape_cases():
    for key, kit in KITS.items():
        adapter = next(adapter for adapter in ADAPTERS if _key(adapter) == key)
        for reason, response in kit.wrong_shapes.items():
            yield pytest.param(adapter, reason, response, id=f"{adapter.capability.endpoint}: {reason}")


@pytest.mark.parametrize(("adapter", "reason", "response"), list(shape_cases()))
def test_another_shape_is_refused_with_its_reason(adapter, reason, response):
    with pytest.raises(ShapeError) as caught:
        adapter.parse(response, adapter.first_cursor)
    assert caught.value.reason == reason


def outcome_cases():
    for key, kit in KITS.items():
        adapter = next(adapter for adapter in ADAPTERS if _key(adapter) == key)
        for rule in kit.rules:
            yield pytest.param(
                adapter, rule, kit.answers.get(rule.name), id=f"{adapter.capability.endpoint}: {rule.name}"
            )


@pytest.mark.parametrize(("adapter", "rule", "response"), list(outcome_cases()))
def test_each_row_of_the_outcome_table_is_reached_by_its_answer(adapter, rule, response):
    assert response is not None, "add an answer for this row to the kit"
    judgement = adapter.judge(response)
    assert (judgement.rule, judgement.outcome, judgement.wait) == (rule.name, rule.outcome, rule.wait)
    assert str(response.status) in judgement.message


@pytest.mark.parametrize(
    "body", [b"", b"\x00\xff", b"null", b'{"message": {"a": ', b"[" * 100_000], ids=lambda body: repr(body[:12])
)
@pytest.mark.parametrize("status", [100, 200, 204, 302, 404, 429, 500, 999])
def test_judging_never_raises(adapter, status, body):
    assert adapter.judge(Response(status, {}, body)).message


def test_html_with_200_is_a_false_success(adapter, kit):
    judgement = adapter.judge(kit.answers["not_json_with_2xx"])
    assert judgement.outcome is Outcome.FALSE_SUCCESS
    assert "Just a moment" in judgement.message


def test_a_wait_the_provider_names_goes_before_the_default(adapter, kit):
    limited = kit.answers["rate_limited"]
    judgement = adapter.judge(Response(429, {**limited.headers, "retry-after": "7"}, limited.body))
    assert judgement.wait == timedelta(seconds=7)


def test_duplicates_within_a_page_keep_the_same_identity(adapter, kit):
    # The page keeps both: whether the creator or the video is the key is the job's choice.
    page = adapter.parse(kit.page([kit.item(1), kit.item(1), kit.item(2)], 30), 0)
    identities = [(item.creator_id, item.content_id) for item in page.items]
    assert identities[0] == identities[1] != identities[2]


@pytest.mark.parametrize("odd", [None, 7, "text", [], {}, {"aweme_info": None}], ids=str)
def test_an_unreadable_item_is_quarantined_and_the_page_goes_on(adapter, kit, odd):
    page = adapter.parse(kit.page([kit.item(1), odd, kit.item(2)], 30), 0)
    assert [item.handle for item in page.items] == ["barista1", "barista2"]
    assert [json.loads(item.raw) for item in page.unreadable] == [odd]
    assert page.unreadable[0].reason == "wrong_item_shape"
    assert page.next_cursor == 30


def test_nul_characters_are_removed_from_every_stored_string(adapter, kit):
    # Given
    response = replaced(kit.page([kit.item(1)], 30), b"arista", rb"ar\u0000ista", -1)
    # When
    page = adapter.parse(response, 0)
    # Then
    assert without_provenance(stored(adapter, page.items[0])) == kit.creator(1)


@pytest.mark.parametrize(
    "broken", [LONE_SURROGATE, rb"\ude00", b"\xff", b"\xed\xa0\x80"], ids=["high", "low", "invalid utf-8", "cesu-8"]
)
def test_a_broken_character_costs_a_character_and_not_a_page(adapter, kit, broken):
    # Given
    response = replaced(kit.page([kit.item(1), kit.item(2)], 30), b"Latte number 1", b"Latte" + broken + b" number 1")
    # When
    page = adapter.parse(response, 0)
    # Then
    creators = [stored(adapter, item) for item in page.items]
    assert len(creators) == 2
    assert creators[0]["video"]["description"].replace("\ufffd", "") == "Latte number 1 #latte #קפה"
    assert "\ufffd" in creators[0]["video"]["description"]


def test_whole_surrogate_pairs_and_escaped_backslashes_survive_the_mending(adapter, kit):
    mixed = rb"\ud83d\ude00 \\ud800 " + LONE_SURROGATE
    response = replaced(kit.page([kit.item(1)], 30), b"Latte number 1", mixed)
    description = stored(adapter, adapter.parse(response, 0).items[0])["video"]["description"]
    assert description.startswith("😀 \\ud800 \ufffd")


def test_ten_thousand_items_are_read(adapter, kit):
    page = adapter.parse(kit.page([kit.item(number) for number in range(10_000)], 30), 0)
    assert len({item.creator_id for item in page.items}) == 10_000


def test_a_saved_envelope_resumes_at_the_next_page(adapter, kit):
    # Given
    envelope = cursor.start(kit.query, adapter, NOW)
    page = adapter.parse(kit.page([kit.item(1)], 30), adapter.first_cursor)
    envelope = cursor.with_walk(envelope, 0, paging.advance(envelope.walks[0], page, 1), NOW)
    # When
    resumed = cursor.resume(cursor.encode(envelope), kit.query, adapter, NOW + timedelta(minutes=5))
    # Then
    assert resumed == envelope
    assert adapter.request(kit.query, WORD, resumed.walks[0].cursor).params["cursor"] == "30"


def test_a_stale_cursor_follows_the_declared_policy(adapter, kit):
    # Given
    envelope = cursor.start(kit.query, adapter, NOW)
    moved = cursor.with_walk(envelope, 0, msgspec.structs.replace(envelope.walks[0], cursor=30, ordinal=1))
    old = msgspec.structs.replace(moved, adapter_version=adapter.capability.version - 1)
    # When
    walk = cursor.resume(cursor.encode(old), kit.query, adapter, NOW).walks[0]
    # Then
    expected = {
        StaleCursor.CONTINUE: (30, False),
        StaleCursor.RESTART_AND_DEDUPE: (adapter.first_cursor, False),
        StaleCursor.STOP_PARTIAL: (30, True),
    }
    assert (walk.cursor, walk.ended) == expected[adapter.capability.stale_cursor]


class TestTikTokKeyword:
    """What is TikTok's alone."""

    adapter = ADAPTERS[0]
    kit = TIKTOK_KEYWORD

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
        return self.adapter.parse(self.kit.page([self.item(**changes)], 30), 0).items[0]

    @pytest.mark.parametrize(
        ("told", "number"),
        [("123", 123), (123.0, 123), (None, None), (-5, None), ("many", None), (True, None), ({}, None)],
    )
    def test_numbers_are_read_as_told_and_unknown_ones_are_named(self, told, number):
        # When
        changes = {"author__follower_count": told, "statistics__digg_count": told}
        creator = stored(self.adapter, self.read(**changes))
        # Then
        assert creator["creator"]["followers"] == (number or 0)
        assert creator["video"]["statistics"]["likes"] == (number or 0)
        unknown = [] if number is not None else ["video.statistics.likes", "creator.followers"]
        assert creator["provenance"]["unknown"] == unknown

    def test_missing_statistics_are_four_unknown_numbers(self):
        creator = stored(self.adapter, self.read(statistics=None))
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
        page = self.adapter.parse(self.kit.page([self.item(**changes), self.kit.item(2)], 30), 0)
        assert [item.handle for item in page.items] == ["barista2"]
        assert [item.reason for item in page.unreadable] == [reason]

    def test_a_missing_cursor_is_one_page_further(self):
        response = replaced(self.kit.page([self.kit.item(1)], 60), b'"cursor": 60, ', b"")
        assert self.adapter.parse(response, 30).next_cursor == 60

    @pytest.mark.parametrize("ending", [{}, {"search_item_list": None}, {"search_item_list": []}], ids=str)
    def test_the_end_is_an_empty_or_missing_list_with_nil_info(self, ending):
        body = json.dumps({"cursor": 30, "search_nil_info": {"search_nil_item": "pack_nil"}, **ending}).encode()
        assert self.adapter.parse(Response(200, {}, body), 0).ended

    @pytest.mark.parametrize(("charged", "cost"), [(0, 0), (3, 3), (None, 1), (-1, 1), ("free", 1)])
    def test_a_page_costs_what_it_says_else_the_list_price(self, charged, cost):
        body = json.loads(self.kit.page([self.kit.item(1)], 30).body)
        response = Response(200, {}, json.dumps({**body, "credits_charged": charged}).encode())
        assert self.adapter.parse(response, 0).credits == cost

    def test_a_profile_adds_what_the_search_lacks(self):
        # Given
        profile = Profile("found", "Say hi: a@b.co", ["a@b.co"], True, 1234567, "https://p.example/x.jpeg", [])
        # When
        creator = stored(self.adapter, self.read(), profile, "completed")
        # Then
        assert creator["creator"] == {
            **self.kit.creator(1)["creator"],
            "bio": "Say hi: a@b.co",
            "emails": ["a@b.co"],
            "verified": True,
            "followers": 1234567,
        }
        assert creator["enhancementStatus"] == "completed"
