"""Mails through an API as Resend's, on loopback: what is asked, and what each answer means."""

import json
import socket
from dataclasses import replace
from datetime import timedelta

import pytest

from actors.mail.contract import Again, MaybeSent, NotSent
from actors.mail.resend import ResendTransport
from tests.mail_sinks import resend_sink
from tests.unit.mail.test_smtp import MAIL

KEY = "re_secret_0123456789"
SECONDS = 20


@pytest.fixture
def sink():
    with resend_sink() as sink:
        yield sink


@pytest.fixture
def transport(sink):
    return ResendTransport(sink.url, KEY, SECONDS)


def refusal(status: int, name: str, message: str, **headers: str):
    body = json.dumps({"statusCode": status, "name": name, "message": message}).encode()
    return status, {name.replace("_", "-"): value for name, value in headers.items()}, body


async def test_a_mail_is_asked_for_once_with_its_key(sink, transport):
    assert await transport.send(MAIL) == "re_0"
    (request,) = sink.requests
    assert request["path"] == "/emails"
    assert request["headers"]["authorization"] == f"Bearer {KEY}"
    assert request["headers"]["idempotency-key"] == MAIL.key
    assert request["body"] == {
        "from": '"Lumen, Inc" <hello@example.com>',
        "to": ["ada@example.org"],
        "subject": MAIL.subject,
        "html": MAIL.html,
        "text": MAIL.text,
        "headers": {"Auto-Submitted": "auto-generated"},
    }


async def test_a_mail_asked_for_again_has_the_first_one_s_id(sink, transport):
    assert await transport.send(MAIL) == await transport.send(MAIL) == "re_0"
    assert len(sink.sent) == 1


async def test_a_connection_cut_after_the_mail_is_found_out_by_asking_again(sink, transport):
    sink.faults = ["cut after"]
    with pytest.raises(MaybeSent):
        await transport.send(MAIL)
    assert await transport.send(MAIL) == "re_0"
    assert len(sink.sent) == 1


async def test_a_key_whose_mail_was_another_was_sent_before(sink, transport):
    await transport.send(MAIL)
    assert await transport.send(replace(MAIL, text="another")) == MAIL.message_id
    assert len(sink.sent) == 1


@pytest.mark.parametrize(
    ("answer", "again", "delay", "word"),
    [
        (refusal(429, "rate_limit_exceeded", "slow down", retry_after="7"), Again.ONCE_MENDED, 7, "slow down"),
        (refusal(429, "daily_quota_exceeded", "no more today"), Again.ONCE_MENDED, 30, "no more today"),
        (refusal(401, "missing_api_key", f"not {KEY}"), Again.ONCE_MENDED, 600, "RESEND_API_KEY"),
        (refusal(403, "validation_error", "domain not verified"), Again.ONCE_MENDED, 600, "MAIL_FROM"),
        (refusal(404, "not_found", "nothing here"), Again.ONCE_MENDED, 600, "RESEND_BASE_URL"),
        ((302, {"location": "http://127.0.0.1:9/"}, b""), Again.ONCE_MENDED, 600, "RESEND_BASE_URL"),
        (refusal(422, "validation_error", "`to` is wrong"), Again.NEVER, None, "`to` is wrong"),
        ((400, {}, b"<html>" + KEY.encode() + b"</html>"), Again.NEVER, None, "HTTP 400"),
    ],
    ids=lambda value: str(value)[:30],
)
async def test_a_refusal_says_what_helps_and_never_the_key(sink, transport, answer, again, delay, word):
    sink.faults = [answer]
    with pytest.raises(NotSent) as told:
        await transport.send(MAIL)
    assert told.value.again is again
    assert told.value.delay == (None if delay is None else timedelta(seconds=delay))
    assert word in str(told.value)
    assert KEY not in str(told.value)
    assert sink.sent == {}


@pytest.mark.parametrize(
    "fault",
    [(500, {}, b"oops"), (503, {}, b""), refusal(409, "concurrent_idempotent_requests", "in progress"), "cut"],
    ids=["500", "503", "409", "cut"],
)
async def test_no_clear_answer_leaves_nobody_knowing(sink, transport, fault):
    sink.faults = [fault]
    with pytest.raises(MaybeSent) as told:
        await transport.send(MAIL)
    assert KEY not in str(told.value)
    # And no error of the library travels along, which holds the request
    assert told.value.__context__ is None or told.value.__suppress_context__


async def test_an_answer_that_is_too_slow_is_given_up(sink):
    sink.gate.clear()
    with pytest.raises(MaybeSent):
        await ResendTransport(sink.url, KEY, 0.2).send(MAIL)


async def test_a_success_without_an_id_is_a_success(sink, transport):
    sink.faults = [(200, {}, b"ok")]
    assert await transport.send(MAIL) == MAIL.message_id


async def test_where_nobody_listens_nothing_was_sent():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(NotSent) as told:
        await ResendTransport(f"http://127.0.0.1:{port}", KEY, SECONDS).send(MAIL)
    assert (told.value.reason, told.value.again) == ("mail_unreachable", Again.LATER)
