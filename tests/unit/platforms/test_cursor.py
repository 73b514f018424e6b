"""The cursor envelope."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import msgspec
import pytest

from platforms import cursor
from platforms.contract import Capability, Query, SearchKind, StaleCursor
from platforms.pages import Walk, start_walk
from platforms.words import words_of

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
QUERY = Query("tiktok", SearchKind.KEYWORD, keywords=("coffee", "tea"))


def adapter(policy=StaleCursor.CONTINUE, version=2, lifetime=timedelta(hours=1), **changes):
    capability = Capability("tiktok", SearchKind.KEYWORD, "maker", version, lifetime, policy)

    def starts(query):
        return tuple(start_walk("search", word, 0) for _, word in words_of(query))

    return SimpleNamespace(capability=replace(capability, **changes), starts=starts)


def resumed_from(document, query, adapter, now, pages_before=0):
    return cursor.resume(cursor.read(document), query, adapter, now, pages_before)


def saved(**changes):
    envelope = cursor.start(QUERY, adapter(), NOW)
    envelope = cursor.with_walk(envelope, 0, Walk("coffee", "page-2", ordinal=1))
    return msgspec.structs.replace(envelope, **changes)


def test_each_keyword_gets_its_own_walk_from_the_first_cursor():
    walks = cursor.start(QUERY, adapter(), NOW).walks
    assert walks == [Walk("coffee", 0), Walk("tea", 0)]


def test_joined_keywords_share_one_walk():
    joined = replace(QUERY, options={"keywords": "joined"})
    assert cursor.start(joined, adapter(), NOW).walks == [Walk("coffee tea", 0)]


def test_walks_that_a_page_opens_are_added_once():
    # Given
    walk, opened = Walk("coffee", 30, ordinal=1), [start_walk("users", "latte", ""), start_walk("search", "tea", 0)]
    # When
    once = cursor.with_walk(cursor.start(QUERY, adapter(), NOW), 0, walk, NOW, opened)
    twice = cursor.with_walk(once, 0, walk, NOW, opened)
    # Then
    assert twice == once
    assert [one.word for one in once.walks] == ["coffee", "tea", "latte"]


def test_a_page_cannot_open_walks_without_end():
    opened = [start_walk("users", str(number), "") for number in range(1000)]
    envelope = cursor.with_walk(cursor.start(QUERY, adapter(), NOW), 0, Walk("coffee", 30), NOW, opened)
    assert len(envelope.walks) == cursor.MOST_WALKS


def test_another_segment_remembers_who_was_given_up():
    envelope = cursor.start(QUERY, adapter(), NOW, ["first"])
    assert cursor.resume(envelope, replace(QUERY, keywords=("x",)), adapter(), NOW).given_up == ["first"]


def test_walks_take_turns_and_ended_ones_are_passed_over():
    # Given
    envelope = cursor.start(replace(QUERY, keywords=("a", "b", "c")), adapter(), NOW)
    envelope = cursor.with_walk(envelope, 1, Walk("b", 9, ordinal=1, ended=True))
    turns = []
    # When
    for _ in range(4):
        index = cursor.next_walk(envelope)
        turns.append(index)
        walk = envelope.walks[index]
        envelope = cursor.with_walk(envelope, index, msgspec.structs.replace(walk, ordinal=walk.ordinal + 1))
    # Then
    assert turns == [0, 2, 0, 2]


def test_no_walk_is_next_when_all_have_ended():
    envelope = saved(walks=[Walk("a", 0, ended=True)])
    assert cursor.next_walk(envelope) is None


def test_replacing_a_walk_leaves_the_old_envelope_alone_and_can_renew_its_time():
    # Given
    envelope = saved()
    # When
    later = cursor.with_walk(envelope, 1, Walk("tea", 30, ordinal=1), NOW + timedelta(minutes=1))
    # Then
    assert envelope.walks[1] == Walk("tea", 0)
    assert later.walks[1].cursor == 30
    assert later.issued_at == NOW + timedelta(minutes=1)


@pytest.mark.parametrize(
    "form",
    [cursor.encode, lambda e: cursor.encode(e).decode(), msgspec.to_builtins],
    ids=["bytes", "text", "dictionary"],
)
def test_an_envelope_survives_saving_in_every_form(form):
    assert resumed_from(form(saved()), QUERY, adapter(), NOW) == saved()


@pytest.mark.parametrize(
    "document",
    [
        None,
        b"",
        b"{",
        b"[" * 100_000,
        b"null",
        b"\xff",
        "\ud800",
        {},
        {"provider": 1},
        [],
        7,
        {"walks": [{"word": None}]},
    ],
    ids=lambda document: repr(document)[:20],
)
def test_garbage_starts_anew(document):
    assert resumed_from(document, QUERY, adapter(), NOW) == cursor.start(QUERY, adapter(), NOW)


@pytest.mark.parametrize(
    ("field", "value"),
    [("ordinal", -1), ("barren", -1), ("cursor", None), ("cursor", 1.5), ("ended", "no")],
)
def test_a_walk_with_an_impossible_value_starts_anew(field, value):
    document = msgspec.to_builtins(saved())
    document["walks"][0][field] = value
    assert resumed_from(document, QUERY, adapter(), NOW) == cursor.start(QUERY, adapter(), NOW)


def test_a_time_without_zone_starts_anew():
    document = msgspec.to_builtins(saved()) | {"issued_at": "2026-03-01T12:00:00"}
    assert resumed_from(document, QUERY, adapter(), NOW).walks[0].cursor == 0


@pytest.mark.parametrize("changes", [{"provider": "other"}, {"query_hash": "other"}], ids=str)
def test_a_foreign_envelope_starts_anew_whatever_the_policy(changes):
    resumed = resumed_from(cursor.encode(saved(**changes)), QUERY, adapter(StaleCursor.STOP_PARTIAL), NOW)
    assert resumed.walks == [Walk("coffee", 0), Walk("tea", 0)]


@pytest.mark.parametrize(
    "changes",
    [{"keywords": ("tea", "coffee")}, {"region": "GB"}, {"options": {"sort_by": "relevance"}}],
    ids=["keywords", "region", "options"],
)
def test_another_query_starts_anew(changes):
    resumed = resumed_from(cursor.encode(saved()), replace(QUERY, **changes), adapter(), NOW)
    assert resumed.walks[0].cursor == 0


def test_settings_that_no_provider_sees_do_not_change_the_query_hash():
    capability = adapter().capability
    same = replace(QUERY, dedupe="video", enrich="none")
    assert cursor.query_hash(same, capability) == cursor.query_hash(QUERY, capability)


STALE = [
    pytest.param({"adapter_version": 1}, NOW, id="older version"),
    pytest.param({}, NOW + timedelta(hours=2), id="expired"),
]


@pytest.mark.parametrize(("changes", "now"), STALE)
def test_a_stale_envelope_continues_where_that_is_the_policy(changes, now):
    resumed = resumed_from(cursor.encode(saved(**changes)), QUERY, adapter(StaleCursor.CONTINUE), now)
    assert resumed.walks == saved().walks
    assert resumed.adapter_version == 2


@pytest.mark.parametrize(("changes", "now"), STALE)
def test_a_stale_envelope_restarts_where_that_is_the_policy(changes, now):
    restart = adapter(StaleCursor.RESTART_AND_DEDUPE)
    assert resumed_from(cursor.encode(saved(**changes)), QUERY, restart, now) == cursor.start(QUERY, restart, now)


@pytest.mark.parametrize(("changes", "now"), STALE)
def test_a_stale_envelope_ends_all_walks_where_that_is_the_policy(changes, now):
    # Given
    walks = [Walk("coffee", 60, ordinal=2, ended=True, end_reason="exhausted"), Walk("tea", 30, ordinal=1)]
    document = cursor.encode(saved(walks=walks, **changes))
    # When
    resumed = resumed_from(document, QUERY, adapter(StaleCursor.STOP_PARTIAL), now)
    # Then
    assert cursor.next_walk(resumed) is None
    assert [walk.end_reason for walk in resumed.walks] == ["exhausted", "stale_cursor"]


def test_cursors_that_do_not_expire_are_good_for_years():
    resumed = resumed_from(cursor.encode(saved()), QUERY, adapter(lifetime=None), NOW + timedelta(days=900))
    assert resumed == saved()


@pytest.mark.parametrize(("pages_before", "again"), [(0, 0), (7, 7), (-1, 0)])
def test_a_walk_that_starts_anew_knows_how_many_pages_it_may_meet_again(pages_before, again):
    anew = cursor.resume(None, QUERY, adapter(), NOW, pages_before)
    assert {walk.again for walk in anew.walks} == {again}
    # But not one that goes on
    assert resumed_from(cursor.encode(saved()), QUERY, adapter(), NOW, pages_before) == saved()
