"""A walk whose next call must not be made twice."""

from datetime import UTC, datetime

import pytest

from platforms import cursor, paging
from platforms.apify.instagram_similar import InstagramSimilarRuns
from platforms.contract import Query, SearchKind
from platforms.pages import Page, Walk

NOW = datetime(2026, 3, 1, tzinfo=UTC)
QUERY = Query("instagram", SearchKind.SIMILAR, target_username="roastery")
ADAPTER = InstagramSimilarRuns()


def resumed(walk):
    """The walk as a new slice takes it up."""
    envelope = cursor.start(QUERY, ADAPTER, NOW)
    envelope = cursor.with_walk(envelope, 0, walk)
    return cursor.resume(cursor.read(cursor.encode(envelope)), QUERY, ADAPTER, NOW).walks[0]


def test_is_marked_by_the_page_before_and_no_longer_by_the_one_after():
    marked = paging.advance(Walk("a", 0), Page(next_cursor="go", start="look", step=True, once=True), 0)
    assert (marked.cursor, marked.start, marked.once) == ("go", "look", True)
    assert not paging.advance(marked, Page(next_cursor="on", step=True), 0).once


def test_begins_at_its_start_in_a_new_slice():
    walk = resumed(Walk("a", "go", start="look", once=True, source="run"))
    assert (walk.cursor, walk.once) == ("look", False)


@pytest.mark.parametrize(
    "walk",
    [
        Walk("a", "go", start="look", source="run"),
        Walk("a", "go", start="look", once=True, ended=True, end_reason="opened", source="run"),
    ],
    ids=["not marked", "ended"],
)
def test_any_other_goes_on_where_it_was(walk):
    assert resumed(walk) == walk


def test_begins_anew_without_the_mark_when_its_place_is_lost():
    walk = paging.advance(Walk("a", "go", start="look", once=True), Page(lost_place=True), 0)
    assert (walk.cursor, walk.once) == ("look", False)
