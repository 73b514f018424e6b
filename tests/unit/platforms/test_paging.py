"""When a walk goes on and when it ends."""

import pytest

from platforms.pages import Page, Walk
from platforms.paging import advance


def page(next_cursor=60, ended=False):
    return Page(next_cursor=None if ended else next_cursor, ended=ended, credits=1)


def test_a_page_with_news_moves_the_walk_on():
    walk = advance(Walk("a", 30, ordinal=1, barren=2), page(60), 5)
    assert walk == Walk("a", 60, ordinal=2, barren=0)


def test_the_provider_ends_a_walk():
    walk = advance(Walk("a", 30, ordinal=1), page(ended=True), 0)
    assert (walk.ended, walk.end_reason, walk.cursor, walk.ordinal) == (True, "exhausted", 30, 2)


@pytest.mark.parametrize("asked", [60, "tok"], ids=["integer", "text"])
def test_the_cursor_just_asked_ends_a_walk_even_with_news(asked):
    assert advance(Walk("a", asked), page(asked), 5).end_reason == "repeated_cursor"


def test_an_integer_and_its_text_are_different_cursors():
    assert not advance(Walk("a", 60), page("60"), 5).ended


def test_barren_pages_in_a_row_end_a_walk():
    # Given
    walk = Walk("a", 0)
    reasons = []
    # When
    for cursor, news in [(30, 0), (60, 0), (90, 1), (120, 0), (150, 0), (180, 0)]:
        walk = advance(walk, page(cursor), news)
        reasons.append(walk.end_reason)
    # Then
    assert reasons == [None, None, None, None, None, "nothing_new"]


def test_pages_that_an_earlier_walk_has_read_prove_nothing():
    # Given a walk that starts anew after four pages whose results are stored
    walk = Walk("a", 0, again=4)
    reasons = []
    # When it meets them again, and after them three pages more that bring nothing
    for cursor in range(30, 240, 30):
        walk = advance(walk, page(cursor), 0)
        reasons.append(walk.end_reason)
    # Then only those ended it
    assert reasons == [None] * 6 + ["nothing_new"]


def test_the_page_ceiling_ends_a_walk():
    assert advance(Walk("a", 0, ordinal=8), page(), 5, page_ceiling=10).end_reason is None
    assert advance(Walk("a", 0, ordinal=9), page(), 5, page_ceiling=10).end_reason == "page_ceiling"


def test_a_page_without_next_cursor_ends_a_walk_though_not_marked():
    assert advance(Walk("a", 0), page(None), 5).end_reason == "exhausted"


def test_a_step_is_no_barren_page():
    assert advance(Walk("a", 0, barren=1), Page(next_cursor=30, step=True), 0).barren == 1


def test_a_page_may_name_its_own_end():
    assert advance(Walk("a", 0), Page(ended=True, end_reason="no_related"), 0).end_reason == "no_related"


def test_a_walk_whose_place_is_lost_begins_again_and_gives_up_in_the_end():
    # Given
    walk = Walk("a", 90, ordinal=3, start=7)
    # When
    first = advance(walk, Page(lost_place=True), 0)
    second = advance(first, Page(lost_place=True), 0)
    third = advance(second, Page(lost_place=True), 0)
    # Then
    assert [(one.cursor, one.ended) for one in (first, second)] == [(7, False), (7, False)]
    assert (third.ended, third.end_reason) == (True, "cursor_lost")
