"""What mails say, with the best and the worst that may be known of a user."""

from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import get_args

import pytest

import actors.mail.composing
from actors.mail.composing import LONGEST_NAME, LONGEST_SUBJECT, Facts, compose, tame
from actors.mail.contract import MailType

TYPES = get_args(MailType)
MARKUP = "<script>alert(1)</script>\"'&{{7*7}}"
FULL = Facts(
    product="Lumen",
    app_url="https://app.example.com/start",
    full_name="Ada Lovelace",
    business_name="Engines & Sons",
    trial_end=datetime(2027, 3, 1, 12, tzinfo=UTC),
    campaign_name="Spring launch",
    creators=1234,
)
WORST = {
    "markup": Facts(MARKUP, "https://app.example.com/?a=1&b='\"", MARKUP, MARKUP, None, MARKUP, 1),
    "long": Facts("P" * 500, "", "A" * 5000, "B" * 5000, None, "C" * 5000, 10**12),
    "missing": Facts("Lumen"),
    "missing on trial": Facts("Lumen", on_trial=True),
    "empty": Facts("Lumen", "", "", "  ", None, "", 0),
    "control": Facts("Lumen", "", "Eve\r\nBcc: x\0", "\u202eevil\u2028", None, "half \ud83d\r\nSubject: x", 2),
    "other scripts": Facts("Lumen", "", "王小明", "مرحبا", None, "日本の夏 🌊", 3),
}
VOID = {"meta", "br", "img", "link"}


class Read(HTMLParser):
    """What a mail program makes of the HTML; refuses tags that are not closed in order."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.links: list[str] = []
        self.words = ""
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.links += [value for name, value in attrs if name in ("href", "src")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" not in self.open:
            self.words += data


@pytest.mark.parametrize("mail_type", TYPES)
@pytest.mark.parametrize("kind", [*WORST, "full"])
def test_every_mail_can_be_written_whatever_is_known(mail_type, kind):
    facts = WORST.get(kind, FULL)
    # When the mail is written
    mail = compose(mail_type, facts)
    read = Read(mail.html)
    # Then its subject is one short line
    assert 5 < len(mail.subject) <= LONGEST_SUBJECT
    assert mail.subject.isprintable()
    # And nobody's name is markup, a template or a further line
    assert read.tags <= {
        *("html", "head", "meta", "title", "style", "body", "table", "tr", "td"),
        *("p", "h1", "ol", "li", "div", "a", "strong"),
    }
    assert "49" not in mail.text + read.words
    assert "\0" not in mail.text + mail.html
    assert "\nBcc" not in mail.text + mail.html
    mail.text.encode()
    mail.html.encode()
    # And its only link is the application's, as it is
    assert read.links == ([facts.app_url] if facts.app_url else [])
    # And no piece of a template, or of Python, is left
    for text in (mail.text, mail.html, mail.subject):
        for piece in ("None", "{%", "%}", "Undefined", "  ,", " ,", " .", "datetime"):
            assert piece not in (text.partition("</style>")[2] or text), piece


@pytest.mark.parametrize("mail_type", TYPES)
def test_every_mail_is_right_on_a_phone_and_in_the_dark(mail_type):
    html = compose(mail_type, FULL).html
    assert '<meta name="viewport" content="width=device-width, initial-scale=1">' in html
    assert '<meta name="color-scheme" content="light dark">' in html
    assert "@media (prefers-color-scheme: dark)" in html
    # Nothing is wider than what it stands in
    assert "max-width:560px" in html
    assert "overflow-wrap:anywhere" in html


@pytest.mark.parametrize("mail_type", TYPES)
def test_text_and_html_tell_the_same_facts(mail_type):
    mail = compose(mail_type, FULL)
    words = " ".join(Read(mail.html).words.split())
    for fact in ("1 March 2027", "Engines & Sons", "Spring launch", "1,234", "Ada"):
        # A fact that only the subject or the greeting has stands in the title of the HTML
        assert (fact in words) >= (fact in mail.text)
    assert "https://app.example.com/start" in mail.text
    assert "Lovelace" not in mail.text + mail.html


@pytest.mark.parametrize(
    ("mail_type", "fact"),
    [
        ("welcome", "Engines & Sons"),
        ("abandonment", "Engines & Sons"),
        ("trial_day2", "1 March 2027"),
        ("trial_day5", "1 March 2027"),
        ("trial_expiry", "1 March 2027"),
        ("subscription_welcome", "Engines & Sons"),
        ("campaign_finished", "1,234 creators"),
    ],
)
def test_each_mail_tells_what_it_is_about(mail_type, fact):
    assert fact in compose(mail_type, FULL).text


@pytest.mark.parametrize(
    ("on_trial", "told", "not_told"), [(True, "trial has begun", "plan is active"), (False, "plan is active", "trial")]
)
def test_who_subscribes_is_told_of_a_trial_only_where_there_is_one(on_trial, told, not_told):
    mail = compose("subscription_welcome", replace(FULL, on_trial=on_trial))
    for text in (mail.subject, mail.text, Read(mail.html).words):
        assert told in text
        assert not_told not in text


@pytest.mark.parametrize("name", ["win at http://evil.example", "evil.example", "www.x", "call me@evil", "x.com now"])
def test_a_name_that_a_mail_program_would_make_a_link_of_is_left_out(name):
    assert tame(name) == ""
    facts = Facts("Lumen", full_name=name, business_name=name, campaign_name=name)
    for mail_type in TYPES:
        mail = compose(mail_type, facts)
        assert "evil" not in mail.subject + mail.text + mail.html


@pytest.mark.parametrize("name", ["J. R. Smith", "O'Neil", "Anna-Lena", "Co. KG", "3 Tage"])
def test_an_ordinary_name_stays(name):
    assert tame(f" {name}\t") == name


def test_a_long_name_is_cut_and_says_so():
    assert len(tame("x" * 500)) == LONGEST_NAME
    assert tame("x" * 500).endswith("…")


def test_the_same_facts_give_the_same_words():
    assert compose("trial_day5", FULL) == compose("trial_day5", FULL)


def test_every_template_is_a_mail_s_or_a_part_of_one():
    folder = Path(actors.mail.composing.__file__).parent / "templates"
    wanted = {f"{name}.{end}" for name in (*TYPES, "base", "parts") for end in ("html", "txt")}
    assert {path.name for path in folder.iterdir()} == wanted
