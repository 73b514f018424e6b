"""Every source of every adapter in the registry against the contract."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from platforms import cursor, paging
from platforms.contract import Query, StaleCursor
from platforms.outcome import Outcome
from platforms.pages import Response
from platforms.profile import Provenance
from platforms.registry import ADAPTERS
from tests.conformance.kit import HTML, Kit, StepKit
from tests.conformance.kits import KITS, PAGE_KITS
from worker.errors import ShapeError

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
LONE_SURROGATE = rb"\ud83d"


@pytest.fixture(params=KITS, ids=lambda kit: kit.name)
def any_kit(request) -> StepKit:
    return request.param


@pytest.fixture(params=PAGE_KITS, ids=lambda kit: kit.name)
def kit(request) -> Kit:
    return request.param


def at(kit: Kit, number: int):
    """The kit's walk as it stands before the page of this number."""
    return msgspec.structs.replace(kit.walk, cursor=kit.cursors[number - 1], ordinal=number - 1)


def after_the_first(kit: Kit):
    """The cursor that the kit's first page tells."""
    return None if kit.one_page else kit.cursors[1]


def read(kit: Kit, response: Response, number: int = 1):
    return kit.read.parse(response, kit.query, at(kit, number))


def stored(kit: Kit, item, profile=None, status="skipped"):
    capability = kit.adapter.capability
    provenance = Provenance(capability.provider, kit.read.endpoint, capability.version, NOW, 1)
    return json.loads(msgspec.json.encode(kit.adapter.normalise(item, profile, status, provenance)))


def without_provenance(creator):
    return {key: value for key, value in creator.items() if key != "provenance"}


def replaced(response: Response, old: bytes, new: bytes, times: int = 1) -> Response:
    assert old in response.body
    return Response(response.status, response.headers, response.body.replace(old, new, times))


def at_path(document: Mapping, path: str):
    for part in path.split("."):
        document = document[int(part)] if isinstance(document, list) else document[part]
    return document


def test_every_source_has_a_kit():
    sources = {
        (one.capability.platform, str(one.capability.kind), one.capability.provider, name)
        for one in ADAPTERS
        for name in one.sources
    }
    kits = {(kit.platform, str(kit.kind), kit.provider, kit.source) for kit in KITS}
    assert sources - kits == set(), "add a kit for each of these to tests/conformance/kits, and to KITS there"
    assert kits - sources == set(), "these kits are of sources that the registry does not have"


def test_the_first_request_asks_for_the_walk_at_its_beginning(any_kit):
    request = any_kit.read.request(any_kit.query, any_kit.walk)
    assert (request.path, dict(request.params)) == any_kit.first_request
    assert (None if request.body is None else json.loads(request.body)) == any_kit.first_body


def test_a_good_answer_is_judged_ok_and_read(any_kit):
    assert any_kit.read.judge(any_kit.good).outcome is Outcome.OK
    assert any_kit.read.parse(any_kit.good, any_kit.query, any_kit.walk).credits >= 0


def test_a_first_page_becomes_exactly_these_creators(kit):
    page = read(kit, kit.page([kit.item(1), kit.item(2)], 1))
    assert [without_provenance(stored(kit, item)) for item in page.items] == [kit.creator(1), kit.creator(2)]
    assert (page.ended, page.next_cursor, page.unreadable) == (kit.one_page, after_the_first(kit), ())


def test_a_walk_over_pages_ends_where_the_provider_says(kit):
    if kit.ended is None:
        pytest.skip("this provider has no answer that says so")
    # Given
    walk, seen = kit.walk, []
    # When
    for response in (kit.page([kit.item(1)], 1), kit.page([kit.item(2)], 2), kit.ended):
        page = kit.read.parse(response, kit.query, walk)
        seen += [item.key for item in page.items]
        walk = paging.advance(walk, page, len(page.items))
    # Then
    assert walk.ended
    assert walk.end_reason not in ("repeated_cursor", "nothing_new", "page_ceiling")
    assert walk.ordinal == 3
    assert len(set(seen)) == len(seen) >= 2


def test_an_empty_list_is_the_end_only_where_it_means_it(kit):
    if kit.empty is None:
        pytest.skip("no such answer can come")
    page = read(kit, kit.empty)
    assert (page.items, page.ended) == ((), kit.empty_ends)


def test_pages_with_nothing_new_end_a_walk(kit):
    if kit.one_page:
        pytest.skip("its walks are one page long")
    walk = kit.walk
    for number in (1, 2, 3):
        walk = paging.advance(walk, read(kit, kit.page([kit.item(1)], number), number), 0)
    assert walk.end_reason == "nothing_new"


def test_a_cursor_that_does_not_move_on_ends_a_walk(kit):
    if kit.repeated_cursor is None:
        pytest.skip("this provider's answers tell no cursor")
    page = read(kit, kit.repeated_cursor, 2)
    assert len(page.items) == 1
    assert paging.advance(at(kit, 2), page, 1).end_reason == "repeated_cursor"


@pytest.mark.parametrize(
    ("kit", "reason"),
    [pytest.param(kit, reason, id=f"{kit.name}: {reason}") for kit in KITS for reason in kit.wrong_shapes],
)
def test_another_shape_is_refused_with_its_reason(kit, reason):
    with pytest.raises(ShapeError) as caught:
        kit.read.parse(kit.wrong_shapes[reason], kit.query, kit.walk)
    assert caught.value.reason == reason


@pytest.mark.parametrize(
    ("kit", "rule"), [pytest.param(kit, rule, id=f"{kit.name}: {rule.name}") for kit in KITS for rule in kit.rules]
)
def test_each_row_of_the_outcome_table_is_reached_by_its_answer(kit, rule):
    response = kit.answers.get(rule.name)
    assert response is not None, "add an answer for this row to the kit"
    judgement = kit.read.judge(response)
    assert (judgement.rule, judgement.outcome) == (rule.name, rule.outcome)
    assert str(response.status) in judgement.message


@pytest.mark.parametrize(
    "body", [b"", b"\x00\xff", b"null", b'{"message": {"a": ', b"[" * 100_000], ids=lambda body: repr(body[:12])
)
@pytest.mark.parametrize("status", [100, 200, 204, 302, 404, 429, 500, 999])
def test_judging_and_pricing_never_raise(any_kit, status, body):
    response = Response(status, {}, body)
    assert any_kit.read.judge(response).message
    assert any_kit.read.charged(response) >= 0


def test_html_with_200_is_a_false_success(any_kit):
    body = b"<!DOCTYPE html><html><head><title>x</title></head><body><p>Just a moment</p></body></html>"
    judgement = any_kit.read.judge(Response(200, HTML, body))
    assert judgement.outcome is Outcome.FALSE_SUCCESS
    assert judgement.rule == any_kit.false_success


def test_a_wait_the_provider_names_goes_before_the_default(any_kit):
    if any_kit.rate_limited is None:
        pytest.skip("this provider never names one")
    limited = any_kit.answers[any_kit.rate_limited]
    told = Response(limited.status, {**limited.headers, "retry-after": "7"}, limited.body)
    assert any_kit.read.judge(told).wait == timedelta(seconds=7)


def test_duplicates_within_a_page_keep_the_same_identity(kit):
    # The page keeps both: whether the creator or the content is the key is the job's choice.
    page = read(kit, kit.page([kit.item(1), kit.item(1), kit.item(2)], 1))
    identities = [(item.key, item.content_id) for item in page.items]
    assert identities[0] == identities[1] != identities[2]


@pytest.mark.parametrize(
    ("kit", "odd"), [pytest.param(kit, odd, id=f"{kit.name}: {odd}") for kit in PAGE_KITS for odd in kit.odd_items]
)
def test_an_unreadable_item_is_quarantined_and_the_page_goes_on(kit, odd):
    page = read(kit, kit.page([kit.item(1), odd, kit.item(2)], 1))
    assert [without_provenance(stored(kit, item)) for item in page.items] == [kit.creator(1), kit.creator(2)]
    assert [json.loads(item.raw) for item in page.unreadable] == [odd]
    assert page.unreadable[0].reason
    assert page.next_cursor == after_the_first(kit)


def test_an_item_set_aside_can_be_read_again(kit):
    item = kit.read.reread(json.dumps(kit.item(1)).encode(), kit.query, at(kit, 1))
    assert without_provenance(stored(kit, item)) == kit.creator(1)
    with pytest.raises(ShapeError):
        kit.read.reread(json.dumps(kit.odd_items[0]).encode(), kit.query, at(kit, 1))


def test_nul_characters_are_removed_from_every_stored_string(kit):
    # Given
    plain, with_nul = kit.names
    response = replaced(kit.page([kit.item(1)], 1), plain.encode(), with_nul.encode(), -1)
    # When
    page = read(kit, response)
    # Then
    assert without_provenance(stored(kit, page.items[0])) == kit.creator(1)


@pytest.mark.parametrize(
    "broken", [LONE_SURROGATE, rb"\ude00", b"\xff", b"\xed\xa0\x80"], ids=["high", "low", "invalid utf-8", "cesu-8"]
)
def test_a_broken_character_costs_a_character_and_not_a_page(kit, broken):
    # Given
    text, path = kit.text
    first, rest = text[:5].encode(), text[5:].encode()
    response = replaced(kit.page([kit.item(1), kit.item(2)], 1), text.encode(), first + broken + rest)
    # When
    page = read(kit, response)
    # Then
    creators = [stored(kit, item) for item in page.items]
    assert len(creators) == 2
    assert "\ufffd" in at_path(creators[0], path)
    assert at_path(creators[0], path).replace("\ufffd", "") == at_path(kit.creator(1), path)


def test_whole_surrogate_pairs_and_escaped_backslashes_survive_the_mending(kit):
    text, path = kit.text
    mixed = rb"\ud83d\ude00 \\ud800 " + LONE_SURROGATE
    page = read(kit, replaced(kit.page([kit.item(1)], 1), text.encode(), mixed))
    assert "😀 \\ud800 \ufffd" in at_path(stored(kit, page.items[0]), path)


def test_ten_thousand_items_are_read(kit):
    page = read(kit, kit.page([kit.item(number) for number in range(10_000)], 1))
    assert len({item.key for item in page.items}) == 10_000


def test_a_saved_envelope_resumes_at_the_next_page(kit):
    if kit.one_page:
        pytest.skip("its walks are one page long")
    # Given
    envelope = cursor.start(kit.query, kit.adapter, NOW)
    envelope = msgspec.structs.replace(envelope, walks=[kit.walk])
    page = read(kit, kit.page([kit.item(1)], 1))
    envelope = cursor.with_walk(envelope, 0, paging.advance(kit.walk, page, 1), NOW)
    # When
    saved = cursor.read(cursor.encode(envelope))
    resumed = cursor.resume(saved, kit.query, kit.adapter, NOW + timedelta(seconds=30))
    # Then
    assert resumed == envelope
    assert resumed.walks[0].cursor == kit.cursors[1]
    assert kit.read.request(kit.query, resumed.walks[0]) == kit.read.request(kit.query, at(kit, 2))


def test_a_stale_cursor_follows_the_declared_policy(any_kit):
    # Given
    adapter = any_kit.adapter
    moved = msgspec.structs.replace(any_kit.walk, ordinal=1, barren=1)
    envelope = msgspec.structs.replace(cursor.start(any_kit.query, adapter, NOW), walks=[moved])
    old = msgspec.structs.replace(envelope, adapter_version=adapter.capability.version - 1)
    # When
    walks = cursor.resume(old, any_kit.query, adapter, NOW).walks
    # Then
    match adapter.capability.stale_cursor:
        case StaleCursor.CONTINUE:
            assert walks == [moved]
        case StaleCursor.RESTART_AND_DEDUPE:
            assert walks == list(adapter.starts(any_kit.query))
        case StaleCursor.STOP_PARTIAL:
            assert walks[0].ended


def test_each_adapter_can_start(any_kit):
    query: Query = any_kit.query
    walks = any_kit.adapter.starts(query)
    assert walks
    assert all(walk.source in any_kit.adapter.sources and walk.ordinal == 0 for walk in walks)
