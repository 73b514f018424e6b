"""The glance at every page: what makes it ask for a closer look."""

from typing import Any

import msgspec

from platforms.glance import KNOWN, Glance


class Inner(msgspec.Struct):
    plays: Any = None


class Raw(msgspec.Struct):
    name: str | None = None
    counters: Inner | None = None


def page(count: int = 5, **counters: Any) -> list[Raw]:
    return [Raw("x", Inner(**counters)) for _ in range(count)]


def experienced(*pages: list[Raw]) -> Glance:
    glance = Glance()
    for _ in range(KNOWN):
        for one in pages:
            glance.learn(one)
    return glance


def test_every_page_is_odd_to_one_that_knows_nothing_and_an_empty_one_never_is():
    assert Glance().odd(page(plays=1))
    assert not Glance().odd([])


def test_a_field_of_another_type_or_null_in_all_items_is_odd():
    glance = experienced(page(plays=1))
    assert not glance.odd(page(plays=7))
    assert glance.odd(page(plays="7"))
    assert glance.odd(page(plays=None))
    assert glance.odd([Raw("x", None)] * 5)


def test_a_part_of_the_items_and_a_short_page_say_nothing():
    glance = experienced(page(plays=1))
    assert not glance.odd([*page(4, plays=None), *page(1, plays=1)])
    assert not glance.odd(page(4, plays=None))


def test_what_was_taken_for_usual_is_not_odd_any_more():
    assert not experienced(page(plays=1), page(plays=None)).odd(page(plays=None))
