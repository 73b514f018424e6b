"""``send_trial_email`` by the engine's own path: only who is on trial gets its mails."""

from typing import get_args

import pytest

from actors.mail.contract import TrialMailType
from tests.integration.handlers.mailing import mails_of, new_user, sending_by, status_of
from tests.jobs import attempts
from tests.mail_sinks import resend_sink

TYPES = get_args(TrialMailType)


@pytest.fixture
def resend(monkeypatch):
    with resend_sink() as sink, sending_by(monkeypatch, RESEND_API_KEY="re_test_key_1", RESEND_BASE_URL=sink.url):
        yield sink


@pytest.mark.parametrize("mail", TYPES)
async def test_who_is_on_trial_gets_each_mail_once(engine, resend, mail):
    user = new_user(engine.connection)
    for _ in range(2):
        assert (await engine.run("send_trial_email", {"userId": user, "type": mail}))["status"] == "completed"
    (request,) = resend.requests
    assert request["body"]["to"] == ["ada@example.org"]
    assert status_of(engine.connection, user, mail) == "sent"


@pytest.mark.parametrize("mail", TYPES)
@pytest.mark.parametrize(
    ("trial", "subscription", "reason"),
    [
        ("converted", "active", "trial_converted"),
        ("active", "active", "trial_converted"),
        ("converted", "past_due", "trial_converted"),
        ("cancelled", "canceled", "trial_cancelled"),
    ],
)
async def test_who_converted_or_cancelled_gets_none(engine, resend, mail, trial, subscription, reason):
    user = new_user(engine.connection, trial, subscription=subscription, mails={mail: {"status": "scheduled"}})
    row = await engine.run("send_trial_email", {"userId": user, "type": mail})
    assert (row["status"], row["result"]) == ("completed", {"sent": False, "reason": reason})
    note = mails_of(engine.connection, user)[mail]
    assert (note["status"], note["reason"]) == ("cancelled", reason)
    assert resend.requests == []
    # When asked again
    row = await engine.run("send_trial_email", {"userId": user, "type": mail})
    # Then nothing changes
    assert row["result"] == {"sent": False, "reason": "already_cancelled"}
    assert mails_of(engine.connection, user)[mail] == note


async def test_a_trial_that_expired_is_told_only_that(engine, resend):
    user = new_user(engine.connection, "expired", subscription="canceled")
    for mail in TYPES:
        await engine.run("send_trial_email", {"userId": user, "type": mail})
    assert [status_of(engine.connection, user, mail) for mail in TYPES] == ["cancelled", "cancelled", "sent"]
    (request,) = resend.requests
    assert "come to its end" in request["body"]["subject"]


@pytest.mark.parametrize("trial", [None, "pending"], ids=str)
async def test_who_has_no_word_of_a_trial_yet_gets_what_was_asked_for(engine, resend, trial):
    user = new_user(engine.connection, trial, subscription="none")
    await engine.run("send_trial_email", {"userId": user, "type": "trial_day2"})
    assert status_of(engine.connection, user, "trial_day2") == "sent"


async def test_send_email_and_send_trial_email_are_one_mail(engine, resend):
    user = new_user(engine.connection)
    for job_type in ("send_email", "send_trial_email"):
        await engine.run(job_type, {"userId": user, "type": "trial_day2"})
    assert len(resend.requests) == 1


@pytest.mark.parametrize("payload", [{}, {"userId": "u"}, {"userId": "u", "type": "welcome"}], ids=str)
async def test_a_payload_without_a_trial_s_mail_is_refused(engine, resend, payload):
    row = await engine.run("send_trial_email", payload)
    assert (row["status"], "payload of send_trial_email" in row["error"]) == ("failed", True)


async def test_an_unknown_user_fails_at_once(engine, resend):
    row = await engine.run("send_trial_email", {"userId": "user_gone", "type": "trial_day2"}, max_retries=5)
    assert (row["status"], "'user_gone'" in row["error"]) == ("failed", True)
    assert attempts(engine.connection, str(row["id"])) == [("error", "unknown_user")]
