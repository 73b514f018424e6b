"""Counters as providers send them."""

import pytest

from platforms.normalise.numbers import LARGEST_COUNT, count, shortened


@pytest.mark.parametrize(
    ("told", "number"),
    [
        ("2,676,415 views", 2_676_415),
        ("331K", 331_000),
        ("1.2M views", 1_200_000),
        ("24M", 24_000_000),
        ("42.5K subscribers", 42_500),
        ("2.75M\u00a0subscribers", 2_750_000),
        ("1.05b", 1_050_000_000),
        ("1 view", 1),
        ("No views", 0),
        ("no subscribers", 0),
        ("1234567", 1_234_567),
        (" 77 ", 77),
        (9007199254740993, 9007199254740993),
        (2.0, 2),
    ],
)
def test_a_counter_is_read_however_it_is_shown(told, number):
    assert count(told) == number


@pytest.mark.parametrize(
    "told",
    [
        None,
        True,
        "",
        "many",
        "12.5",
        "1,23 views",
        "1.2.3M",
        "5 years ago",
        "Streamed 2 weeks ago",
        "-3K",
        -3,
        "K",
        "Nothing",
        "99999999999999999999",
        "99999999999999999B",
        "9" * 5000,
        float("nan"),
        float("inf"),
        [],
        {},
    ],
    ids=lambda told: repr(told)[:20],
)
def test_what_is_no_counter_is_unknown(told):
    assert count(told) is None


def test_the_largest_counter_is_what_the_database_holds():
    assert (count(LARGEST_COUNT), count(LARGEST_COUNT + 1)) == (LARGEST_COUNT, None)


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        (0, "0"),
        (999, "999"),
        (1_000, "1K"),
        (42_500, "42.5K"),
        (331_999, "331K"),
        (2_750_000, "2.75M"),
        (20_000_000, "20M"),
        (1_050_000_000, "1.05B"),
    ],
)
def test_a_counter_is_shown_as_pages_show_it(number, shown):
    assert shortened(number) == shown
