"""Safe text, e-mail addresses and hashtags."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from platforms.normalise.text import emails, hashtags, safe_text, unique_hashtags


@pytest.mark.parametrize(
    ("text", "safe"),
    [("a\x00b", "ab"), ("\ud800x", "\ufffdx"), ("x\udc00", "x\ufffd"), ("\ud83d\ude00", "😀"), ("é", "é")],
)
def test_text_is_made_safe(text, safe):
    assert safe_text(text) == safe


@given(st.text(alphabet=st.characters(exclude_categories=[])))
def test_safe_text_can_always_be_stored(text):
    assert "\x00" not in safe_text(text).encode().decode()


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Mail: Jo.Doe+PR@Example.COM.", ["jo.doe+pr@example.com"]),
        ("a@b.co, A@B.CO and c@d.co.uk", ["a@b.co", "c@d.co.uk"]),
        ("邮箱a@b.com联系", ["a@b.com"]),
        ("📧x@y.io📧", ["x@y.io"]),
        ("mailto:x@y.io", ["x@y.io"]),
        ("logo@2x.png a@b.JPEG", []),
        ("@barstoolsports insta: @name.surname", []),
        ("a@b a@.com @b.com a..b@c.com a.@b.com", []),
        ("a@b.c0m a@x.com-", []),
        (".a@b.com", ["a@b.com"]),
        ("", []),
    ],
)
def test_addresses_are_found_in_text(text, found):
    assert emails(text) == found


@pytest.mark.parametrize(
    ("link", "found"),
    [
        ("mailto:Hi@There.com?subject=x", ["hi@there.com"]),
        ("mailto:hi%40there.com", ["hi@there.com"]),
        ("https://shop.example/?contact=hi@there.com", ["hi@there.com"]),
        ("https://user:pass@host.com/x", []),
        ("https://www.tiktok.com/@user.name", []),
        ("https://cdn.example/logo@2x.webp", []),
        ("http://[broken", []),
    ],
)
def test_addresses_are_found_in_links(link, found):
    assert emails("", [link]) == found


def test_a_long_text_without_address_is_searched_in_a_moment():
    assert emails("a" * 300_000 + "@" + "b." * 50_000) == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("#latte and #Home_Gym2!", ["#latte", "#Home_Gym2"]),
        ("#a#b #A", ["#a", "#b"]),
        ("#קפה #हिन्दी #ไทยแลนด์ #fypシ ＃日本語", ["#קפה", "#हिन्दी", "#ไทยแลนด์", "#fypシ", "#日本語"]),
        ("# alone #! https://x.example/#part &#39;", []),
        ("#fun🎉#more", ["#fun", "#more"]),
    ],
)
def test_hashtags_are_found_in_any_script(text, found):
    assert hashtags(text) == found


def test_hashtag_names_get_one_sign_and_repeats_go():
    assert unique_hashtags(["a", "#b", "##c", "A", "", " ", "#", "d\x00"]) == ["#a", "#b", "#c", "#d"]
