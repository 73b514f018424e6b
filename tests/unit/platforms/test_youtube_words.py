"""What a YouTube channel is about, where it is, and when it was."""

import pytest

from platforms.normalise.youtube_countries import country_code
from platforms.normalise.youtube_hit import as_utc, channel_id_of, handle_of, largest_picture, moment
from platforms.normalise.youtube_topics import MOST_TOPICS, comma_separated, space_separated, topics


def test_tags_go_first_then_hashtags_then_the_words_repeated_most():
    description = "Grinders and more grinders. Kettles! #pourover https://kettle.example/grinders me@grinders.example"
    assert topics("Studio Coffee", "studiocoffee", ["latte art"], description) == (
        "latte art",
        "pourover",
        "grinders",
        "kettles",
    )


def test_tags_that_spell_the_channel_itself_and_repeats_are_left_out():
    tags = ["Studio  Coffee", "studiocoffee", "Espresso", "espresso", "ok", "x" * 61, "\x00espresso machine"]
    assert topics("Studio Coffee", "StudioCoffee", tags, "") == ("Espresso", "espresso machine")


def test_there_are_only_so_many_topics():
    tags = [f"topic number {number}" for number in range(40)]
    assert topics("x", "y", tags, "") == tuple(tags[:MOST_TOPICS])


def test_a_channel_that_tells_nothing_has_no_topics():
    assert topics("Studio", "studio", ["Studio"], "Subscribe to my channel! https://studio.example") == ()


def test_words_of_other_scripts_are_topics():
    assert topics("x", "y", [], "מתכונים טעימים #קפה") == ("קפה", "מתכונים", "טעימים")


def test_tags_come_in_one_string_of_either_kind():
    assert comma_separated(" latte art, ,espresso,") == ["latte art", "espresso"]
    assert space_separated('espresso "latte art" "open') == ["espresso", "latte art", "open"]


@pytest.mark.parametrize(
    ("told", "code"),
    [("Portugal", "PT"), ("united states", "US"), ("pt", "PT"), ("Türkiye", "TR"), ("Atlantis", ""), ("", "")],
)
def test_a_country_is_known_by_name_or_code(told, code):
    assert country_code(told) == code


UC = "UCoRR6OLuIZ2-5VxtnQIaN2w"


@pytest.mark.parametrize(
    ("told_id", "told_handle", "channel", "handle"),
    [
        (UC, "mkbhd", UC, "mkbhd"),
        (UC, "@mkbhd", UC, "mkbhd"),
        (UC, f"channel/{UC}", UC, ""),
        (None, f"channel/{UC}", UC, ""),
        (None, UC, UC, ""),
        (None, "mkbhd", "", "mkbhd"),
        ("", None, "", ""),
    ],
)
def test_a_channel_is_known_by_id_or_handle(told_id, told_handle, channel, handle):
    assert (channel_id_of(told_id, told_handle), handle_of(told_handle)) == (channel, handle)


def test_the_largest_jpeg_goes_before_a_larger_webp():
    pictures = [("https://a/x=s72-c-rj", 72), ("https://a/x=s160-c-rj", "160"), ("https://a/x=s800-c-rw", 800)]
    assert largest_picture([*pictures, (None, 900)]) == "https://a/x=s160-c-rj"
    assert largest_picture([]) == ""


@pytest.mark.parametrize(
    ("told", "utc"),
    [
        ("2020-06-23T19:13:42.693Z", "2020-06-23T19:13:42.693000Z"),
        ("2026-04-22T10:44:35-07:00", "2026-04-22T17:44:35Z"),
        ("2019-12-05", "2019-12-05T00:00:00Z"),
        ("5 years ago", ""),
        ("", ""),
        ("0001-01-01T00:00:00+23:00", ""),
    ],
)
def test_times_are_utc(told, utc):
    assert as_utc(told) == utc
    assert (moment(told) is None) is (utc == "")
