"""The words that a TikTok target is looked for by."""

import pytest

from platforms.scrapecreators.tiktok.own_words import MOST_WORDS, own_words


def test_what_people_do_goes_before_what_they_are_called():
    words = own_words("gainsbybrains", "Gains By Brains", "Fitness coach 💪❤️ | easy RECIPES & workouts #gymgirl")
    assert words == ["gymgirl", "fitness", "coach", "easy", "recipes"]


def test_a_short_bio_is_filled_up_with_the_name_and_then_the_handle():
    assert own_words("dave_desk.setups", "Dave Portnoy", "Lamps") == ["lamps", "dave", "portnoy", "desk", "setups"]


def test_a_word_said_in_several_places_goes_first():
    assert own_words("baker", "The Baker", "bread every day by a baker")[0] == "baker"


@pytest.mark.parametrize(
    ("bio", "words"),
    [
        ("東京のカフェ #カフェ #スイーツ", ["カフェ", "スイーツ", "東京のカフェ"]),
        ("קפה עם לאטה", ["קפה", "לאטה"]),
        ("कॉफ़ी और चाय", ["कॉफ़ी", "और", "चाय"]),
        ("Кофе и десерты", ["кофе", "десерты"]),
        ("❤\ufe0ffitness", ["fitness"]),
        ("𝗕𝗮𝗿𝗶𝘀𝘁𝗮", ["barista"]),
    ],
)
def test_every_script_has_words(bio, words):
    assert own_words("", "", bio) == words


@pytest.mark.parametrize(
    "bio",
    [
        "me@mail.example",
        "https://shop.example/abc www.example.org linktr.ee/someone x.com/name",
        "@someone @else.where",
        "the and official links DM for business inquiries 👇👇",
        "2024 1️⃣ ❤️ :) a bc",
        "x" * 20,
        "",
    ],
)
def test_what_says_nothing_about_an_account_is_no_word(bio):
    assert own_words("", "", bio) == []


def test_there_are_few_and_each_is_there_once():
    words = own_words("a", "b", " ".join(f"topic{chr(97 + place)} Topic{chr(97 + place)}" for place in range(20)))
    assert words == [f"topic{letter}" for letter in "abcde"]
    assert len(words) == MOST_WORDS


def test_a_text_of_any_length_and_character_is_read():
    assert len(own_words("\x00", "\ud800" * 50, "a@" * 100_000 + "coffee" * 100_000)) <= MOST_WORDS
