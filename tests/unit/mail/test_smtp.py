"""Mails through a real mail server on loopback: what arrives, and what each way to fail means."""

import socket
import ssl
import subprocess

import pytest

from actors.mail.contract import Again, Mail, MaybeSent, NotSent
from actors.mail.smtp import SmtpTransport
from tests.mail_sinks import CUT, smtp_sink
from worker.mail_settings import SmtpServer, read_smtp_url

MAIL = Mail(
    sender_name="Lumen, Inc",
    sender_address="hello@example.com",
    recipient="ada@example.org",
    subject="Grüße, 日本 🌊",
    text="Hello Ada,\n.\n.hidden\nüber alles\n",
    html="<p>Hello <b>Ada</b> 🌊</p>",
    message_id="<abc123@example.com>",
    key="welcome/abc123",
)
SECONDS = 20


def to(sink, **changes) -> SmtpTransport:
    server = {"host": "127.0.0.1", "port": sink.port, "tls": False, "user": None, "password": None}
    return SmtpTransport(SmtpServer(**{**server, **changes}), SECONDS)


async def test_a_mail_arrives_as_it_was_written():
    with smtp_sink() as sink:
        assert await to(sink).send(MAIL) == "<abc123@example.com>"
    (mail,) = sink.mails
    assert mail["From"].addresses[0].display_name == "Lumen, Inc"
    assert mail["From"].addresses[0].addr_spec == "hello@example.com"
    assert (mail["To"], mail["Subject"], mail["Message-ID"]) == (MAIL.recipient, MAIL.subject, MAIL.message_id)
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["Date"].datetime is not None
    assert mail.get_body(("plain",)).get_content().replace("\r\n", "\n") == MAIL.text
    assert mail.get_body(("html",)).get_content().strip() == MAIL.html
    assert sink.taken[0].isascii()


async def test_a_login_is_used():
    with smtp_sink(login=("user", "p@ss")) as sink:
        await to(sink, user="user", password="p@ss").send(MAIL)
    assert len(sink.mails) == 1


async def test_a_wrong_password_waits_to_be_mended_and_is_not_shown():
    with smtp_sink(login=("user", "right-one")) as sink, pytest.raises(NotSent) as told:
        await to(sink, user="user", password="wrong-one").send(MAIL)
    assert (told.value.reason, told.value.again) == ("mail_credentials", Again.ONCE_MENDED)
    assert "535" in str(told.value)
    assert "SMTP_URL" in str(told.value)
    assert "wrong-one" not in str(told.value)
    assert sink.mails == []


@pytest.mark.parametrize(
    ("replies", "again", "word"),
    [
        ({"RCPT": b"550 no such mailbox"}, Again.NEVER, "no such mailbox"),
        ({"RCPT": b"450 try later"}, Again.LATER, "try later"),
        ({"MAIL": b"550 not from there"}, Again.ONCE_MENDED, "MAIL_FROM"),
        ({"MAIL": b"530 log in first"}, Again.ONCE_MENDED, "SMTP_URL"),
        ({"": b"554 go away"}, Again.ONCE_MENDED, "go away"),
        ({"": b"421 busy"}, Again.LATER, "busy"),
        ({"DATA": b"452 disk full"}, Again.LATER, "disk full"),
        ({".": b"554 spam"}, Again.NEVER, "spam"),
        ({".": b"451 greylisted"}, Again.LATER, "greylisted"),
        ({"RCPT": CUT}, Again.LATER, "mail server 127.0.0.1"),
        ({"EHLO": CUT}, Again.LATER, "mail server 127.0.0.1"),
    ],
    ids=lambda value: str(value)[:30],
)
async def test_a_refusal_says_what_helps(replies, again, word):
    with smtp_sink(replies=replies) as sink, pytest.raises(NotSent) as told:
        await to(sink).send(MAIL)
    assert (told.value.again, word in str(told.value)) == (again, True)
    assert sink.taken == []


@pytest.mark.parametrize("ending", [CUT, b"what?", b"354 go on"], ids=["cut", "garbage", "odd code"])
async def test_no_clear_answer_to_the_mail_leaves_nobody_knowing(ending):
    with smtp_sink(replies={".": ending}) as sink, pytest.raises(MaybeSent) as told:
        await to(sink).send(MAIL)
    assert "after the mail" in str(told.value)
    assert len(sink.taken) == 1


async def test_a_server_that_does_not_answer_is_given_up():
    with smtp_sink() as sink:
        sink.gate.clear()
        transport = SmtpTransport(read_smtp_url(f"smtp://127.0.0.1:{sink.port}"), 0.2)
        with pytest.raises(MaybeSent):
            await transport.send(MAIL)


async def test_a_server_that_is_away_may_come_back():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(NotSent) as told:
        await SmtpTransport(read_smtp_url(f"smtp://127.0.0.1:{port}"), SECONDS).send(MAIL)
    assert (told.value.reason, told.value.again) == ("mail_unreachable", Again.LATER)


class TestAnAddressInAnotherScript:
    async def test_arrives_where_the_server_knows_them(self):
        with smtp_sink() as sink:
            await to(sink).send(_to("jürgen@example.org"))
        assert any(command.startswith("RCPT TO:<jürgen@example.org>") for command in sink.commands)

    async def test_is_refused_where_it_does_not(self):
        with smtp_sink(extensions=()) as sink, pytest.raises(NotSent) as told:
            await to(sink).send(_to("jürgen@example.org"))
        assert told.value.again is Again.NEVER
        assert "jürgen" in str(told.value)


@pytest.mark.parametrize("recipient", ["a..b@example.org", ".a@example.org", "o'neil+x@example.org", "a@b"])
async def test_an_address_that_is_odd_is_given_to_the_server_to_judge(recipient):
    with smtp_sink() as sink:
        await to(sink).send(_to(recipient))
    assert f"RCPT TO:<{recipient}>" in sink.commands


def _to(recipient: str) -> Mail:
    return Mail(**{name: getattr(MAIL, name) for name in Mail.__slots__} | {"recipient": recipient})


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A certificate of 127.0.0.1 that signs itself, and its key."""
    folder = tmp_path_factory.mktemp("tls")
    wanted = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -keyout key.pem -out cert.pem"
    made = subprocess.run(
        ["openssl", *wanted.split(), "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"],  # noqa: S607
        cwd=folder,
        capture_output=True,
        check=False,
    )
    assert made.returncode == 0, made.stderr
    return folder / "cert.pem", folder / "key.pem"


class TestStartTls:
    @pytest.fixture
    def tls(self, certificate):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificate)
        return context

    async def test_is_used_where_it_is_offered(self, tls, certificate, monkeypatch):
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
        with smtp_sink(tls=tls, login=("u", "p")) as sink:
            await to(sink, user="u", password="p").send(MAIL)
        assert sink.encrypted == [True]

    async def test_with_a_certificate_that_nobody_trusts_sends_no_password(self, tls):
        with smtp_sink(tls=tls, login=("u", "p")) as sink, pytest.raises(NotSent) as told:
            await to(sink, user="u", password="p").send(MAIL)
        assert "certificate" in str(told.value)
        assert not any(command.startswith("AUTH") for command in sink.commands)

    async def test_that_a_far_server_does_not_offer_sends_no_password(self, monkeypatch):
        monkeypatch.setattr(SmtpServer, "needs_starttls", property(lambda _: True))
        with smtp_sink(login=("u", "p")) as sink, pytest.raises(NotSent) as told:
            await to(sink, user="u", password="p").send(MAIL)
        assert told.value.again is Again.ONCE_MENDED
        assert "STARTTLS" in str(told.value)
        assert not any(command.startswith("AUTH") for command in sink.commands)
