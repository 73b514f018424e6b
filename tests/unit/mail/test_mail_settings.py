"""The settings of e-mails: what is refused, with what words, and that no secret is among them."""

import pytest

from actors.mail.choosing import make_post
from worker.errors import ConfigurationError
from worker.mail_settings import is_address, read_sender, read_smtp_url
from worker.settings import load_settings

SENDER = {"MAIL_FROM": "Lumen <hello@example.com>"}


def settings_with(monkeypatch, **variables):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    return load_settings(_env_file=None)


def refusal(monkeypatch, **variables):
    with pytest.raises(ConfigurationError) as refused:
        settings_with(monkeypatch, **variables)
    return str(refused.value)


@pytest.mark.parametrize(
    ("variables", "name"),
    [
        ({}, "console"),
        ({"SMTP_URL": "smtp://u:p@127.0.0.1:2525", **SENDER}, "smtp"),
        ({"RESEND_API_KEY": "re_1", **SENDER}, "resend"),
    ],
    ids=["nothing", "a server", "a key"],
)
def test_the_way_of_mails_follows_from_what_is_set(monkeypatch, variables, name):
    post = make_post(settings_with(monkeypatch, **variables))
    assert post.transport.name == name
    assert post.product == ("Lumen" if variables else "Trawler")


def test_a_server_is_read_from_its_url():
    server = read_smtp_url("smtp://some%40user:p%2Fw%3A%40@mail.example.com")
    assert (server.host, server.port, server.tls) == ("mail.example.com", 587, False)
    assert (server.user, server.password) == ("some@user", "p/w:@")
    assert read_smtp_url("smtps://mail.example.com").port == 465
    assert read_smtp_url("smtp://[::1]:25").host == "::1"


@pytest.mark.parametrize(
    ("url", "needed"),
    [
        ("smtp://u:p@mail.example.com", True),
        ("smtp://u:p@127.0.0.1", False),
        ("smtp://u:p@localhost", False),
        ("smtp://mail.example.com", False),
        ("smtps://u:p@mail.example.com", False),
    ],
)
def test_a_password_crosses_no_network_in_the_clear(url, needed):
    assert read_smtp_url(url).needs_starttls is needed


@pytest.mark.parametrize(
    "url",
    [
        "mail.example.com",
        "http://u:hidden@mail.example.com",
        "smtp://",
        "smtp://u:hid/den@mail.example.com",
        "smtp://u:hidden@mail.example.com:port",
        "smtp://u:hidden@mail.example.com:99999",
        "smtp://hidden@mail.example.com",
        "smtp://u:hidden@mail.example.com/?starttls=no",
        "smtp://u:hidden@[::1",
        "smtp://u:hid#den@mail.example.com",
    ],
)
def test_a_url_that_names_no_server_is_refused_without_its_password(monkeypatch, url):
    told = refusal(monkeypatch, SMTP_URL=url, **SENDER)
    assert "SMTP_URL" in told
    assert "expected smtp://user:password@host:port" in told
    assert "hid" not in told


def test_mails_that_are_to_be_sent_need_a_sender(monkeypatch):
    told = refusal(monkeypatch, RESEND_API_KEY="re_1")
    assert "MAIL_FROM is not set" in told
    assert "such as Trawler <hello@example.com>" in told


@pytest.mark.parametrize("text", ["nobody", "a@b, c@d", "<>", "Lumen <hello@>", "Lumen <hellö@example.com>"])
def test_a_sender_that_is_no_address_is_refused(monkeypatch, text):
    assert f"MAIL_FROM is {text!r}" in refusal(monkeypatch, MAIL_FROM=text)


def test_two_ways_at_once_are_refused(monkeypatch):
    told = refusal(monkeypatch, RESEND_API_KEY="re_1", SMTP_URL="smtp://127.0.0.1", **SENDER)
    assert "SMTP_URL and RESEND_API_KEY are both set" in told


def test_a_key_with_a_line_end_is_refused_and_not_shown(monkeypatch):
    told = refusal(monkeypatch, RESEND_API_KEY="re_hidden\nx", **SENDER)
    assert "RESEND_API_KEY" in told
    assert "hidden" not in told


def test_all_that_is_wrong_is_told_at_once(monkeypatch):
    told = refusal(
        monkeypatch, SMTP_URL="x", MAIL_FROM="y", TRAWLER_BEAT_SECONDS="50", APP_URL="ftp://z", TRAWLER_MAIL_SECONDS="0"
    )
    for name in ("SMTP_URL", "MAIL_FROM", "TRAWLER_BEAT_SECONDS", "APP_URL: ", "TRAWLER_MAIL_SECONDS: "):
        assert name in told


def test_secrets_do_not_show(monkeypatch):
    settings = settings_with(monkeypatch, SMTP_URL="smtp://u:hidden@127.0.0.1", **SENDER)
    assert "hidden" not in repr(settings)
    monkeypatch.delenv("SMTP_URL")
    assert "hidden" not in repr(settings_with(monkeypatch, RESEND_API_KEY="re_hidden"))


@pytest.mark.parametrize("text", ["a@b.example", "a+b@b.example", "jürgen@b.example", "x'y@b.example"])
def test_an_ordinary_address_is_one(text):
    assert is_address(text)


@pytest.mark.parametrize(
    "text", ["", "a", "a@", "@b", "a@b@c", "a b@c", "a@b\nBcc: c@d", "a@b,c@d", "<a@b>", "a@b\0", "a" * 300 + "@b.c"]
)
def test_what_may_not_stand_in_a_header_is_no_address(text):
    assert not is_address(text)


def test_a_sender_has_a_name_and_a_domain():
    sender = read_sender('"Lumen,  Inc" <hello@mail.example.com>')
    assert (sender.name, sender.address, sender.domain) == ("Lumen, Inc", "hello@mail.example.com", "mail.example.com")
