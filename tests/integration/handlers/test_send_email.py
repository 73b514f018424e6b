"""``send_email`` by the engine's own path: every mail goes out once, and the user's row says where it stands."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from tests.fleet import Fleet, eventually
from tests.integration.handlers.mailing import SENDER, mails_of, new_user, sending_by, status_of
from tests.jobs import attempts, background_job, insert_background_job, state
from tests.mail_sinks import CUT, resend_sink, smtp_sink

RETRIES = 2
NO_PROVIDER = "http://127.0.0.1:9"


@pytest.fixture
def resend(monkeypatch):
    with resend_sink() as sink, sending_by(monkeypatch, RESEND_API_KEY="re_test_key_1", RESEND_BASE_URL=sink.url):
        yield sink


@pytest.fixture
def smtp(monkeypatch):
    with smtp_sink() as sink, sending_by(monkeypatch, SMTP_URL=f"smtp://127.0.0.1:{sink.port}"):
        yield sink


def welcome(user: str) -> dict[str, str]:
    return {"userId": user, "type": "welcome"}


async def again(engine, job_id: str):
    """What waits is due now; give the row after it ran."""
    engine.make_due()
    await engine.work_off("send_email")
    return background_job(engine.connection, job_id)


class TestAMail:
    async def test_goes_to_the_user_s_address_and_is_noted_with_its_id(self, engine, resend):
        user = new_user(engine.connection, business_name="Engines & Sons")
        row = await engine.run("send_email", welcome(user))
        # Then the job and the user's row tell the same
        assert (row["status"], row["result"]) == ("completed", {"sent": True, "messageId": "re_0"})
        note = mails_of(engine.connection, user)["welcome"]
        assert (note["status"], note["messageId"], note["via"]) == ("sent", "re_0", "resend")
        assert datetime.fromisoformat(note["timestamp"]) <= datetime.now(UTC) + timedelta(seconds=1)
        # And the mail is the user's
        (request,) = resend.requests
        assert request["body"]["to"] == ["ada@example.org"]
        assert request["body"]["from"] == SENDER
        assert "Ada" in request["body"]["text"]
        assert "Engines &amp; Sons" in request["body"]["html"]

    async def test_goes_through_a_mail_server_with_a_message_id_of_its_own(self, engine, smtp):
        user = new_user(engine.connection)
        row = await engine.run("send_email", welcome(user))
        (mail,) = smtp.mails
        assert row["result"] == {"sent": True, "messageId": mail["Message-ID"]}
        assert mail["Message-ID"].endswith("@mail.example.com>")
        assert status_of(engine.connection, user, "welcome") == "sent"

    async def test_is_printed_where_nothing_is_set(self, engine, monkeypatch, capsys):
        user = new_user(engine.connection)
        with sending_by(monkeypatch):
            await engine.run("send_email", welcome(user))
        assert "To: ada@example.org" in capsys.readouterr().out
        assert status_of(engine.connection, user, "welcome") == "sent"

    async def test_is_sent_once_however_often_it_is_asked_for(self, engine, resend):
        user = new_user(engine.connection)
        await engine.run("send_email", welcome(user))
        noted = mails_of(engine.connection, user)
        row = await engine.run("send_email", welcome(user))
        assert (row["status"], row["result"]) == ("completed", {"sent": False, "reason": "already_sent"})
        assert (len(resend.requests), mails_of(engine.connection, user)) == (1, noted)

    async def test_is_sent_once_where_many_jobs_for_it_run_at_once(self, engine, smtp):
        # Given two jobs, of which one is in the midst of sending
        user = new_user(engine.connection)
        smtp.gate.clear()
        jobs = [engine.put_in("send_email", welcome(user)) for _ in range(2)]
        (first,) = await engine.lease("send_email", 1)
        running = asyncio.ensure_future(engine.work([first]))
        await asyncio.to_thread(smtp.came.wait, 10)
        # When the other one runs
        await engine.work_off("send_email")
        other = next(job for job in jobs if job != first.job_id)
        assert attempts(engine.connection, other) == [("wait", "mail_being_sent")]
        smtp.gate.set()
        await running
        # Then it finds it sent
        assert (await again(engine, other))["result"] == {"sent": False, "reason": "already_sent"}
        assert len(smtp.taken) == 1

    async def test_leaves_the_notes_of_other_mails_as_they_are(self, engine, resend):
        others = {"trial_day2": {"status": "scheduled", "messageId": "msg_1", "timestamp": "2026-01-01"}, "odd": 7}
        user = new_user(engine.connection, mails=others)
        await engine.run("send_email", welcome(user))
        noted = mails_of(engine.connection, user)
        assert {name: noted[name] for name in others} == others
        assert noted["welcome"]["status"] == "sent"

    @pytest.mark.parametrize("mails", [[], "text", 5], ids=str)
    async def test_is_noted_even_if_the_row_held_something_odd(self, engine, resend, mails):
        user = new_user(engine.connection, mails=mails)
        await engine.run("send_email", welcome(user))
        assert set(mails_of(engine.connection, user)) == {"welcome"}

    @pytest.mark.parametrize("status", ["sent", "cancelled", "cancelled_subscription"])
    async def test_that_the_application_sent_or_cancelled_is_not_sent(self, engine, resend, status):
        mails = {"welcome": {"status": status, "messageId": "msg_1", "timestamp": "2026-01-01T00:00:00Z"}}
        user = new_user(engine.connection, mails=mails)
        row = await engine.run("send_email", welcome(user))
        assert row["result"] == {"sent": False, "reason": f"already_{status}"}
        assert (resend.requests, mails_of(engine.connection, user)) == ([], mails)

    @pytest.mark.parametrize(("trial", "step", "sent"), [("pending", "pending", True), ("active", "pending", False)])
    async def test_about_an_unfinished_set_up_goes_only_to_who_has_not_finished(
        self, engine, resend, trial, step, sent
    ):
        user = new_user(engine.connection, trial, onboarding_step=step)
        await engine.run("send_email", {"userId": user, "type": "abandonment"})
        assert status_of(engine.connection, user, "abandonment") == ("sent" if sent else "cancelled")
        assert len(resend.requests) == sent


class TestAFinishedCampaign:
    @pytest.fixture
    def campaign(self, engine):
        def make(user: str, name: str) -> str:
            (campaign_id,) = engine.connection.execute(
                "INSERT INTO campaigns (user_id, name, search_type) VALUES (%s, %s, 'keyword') RETURNING id::text",
                (user, name),
            ).fetchone()
            engine.connection.execute(
                "INSERT INTO scraping_jobs (user_id, campaign_id, status, processed_results)"
                " VALUES (%s, %s, 'completed', 40), (%s, %s, 'error', 2)",
                (user, campaign_id, user, campaign_id),
            )
            return campaign_id

        return make

    async def test_is_told_once_each(self, engine, resend, campaign):
        user = new_user(engine.connection)
        first, second = campaign(user, "Spring"), campaign(user, "Summer")
        for campaign_id in (first, second, first):
            payload = {"userId": user, "type": "campaign_finished", "campaignId": campaign_id}
            assert (await engine.run("send_email", payload))["status"] == "completed"
        assert [request["body"]["subject"] for request in resend.requests] == [
            "“Spring” is finished",
            "“Summer” is finished",
        ]
        assert "42 creators" in resend.requests[0]["body"]["text"]
        assert set(mails_of(engine.connection, user)) == {f"campaign_finished:{one}" for one in (first, second)}

    async def test_of_somebody_else_is_not_told(self, engine, resend, campaign):
        user, other = new_user(engine.connection), new_user(engine.connection)
        payload = {"userId": user, "type": "campaign_finished", "campaignId": campaign(other, "Spring")}
        row = await engine.run("send_email", payload)
        assert (row["status"], "campaignId" in row["error"]) == ("failed", True)
        assert (resend.requests, mails_of(engine.connection, user)) == ([], {})


class TestAJobThatCannotBeDone:
    @pytest.mark.parametrize(
        ("payload", "words"),
        [
            ({"type": "welcome"}, "`userId`"),
            ({"userId": "user_1"}, "`type`"),
            ({"userId": "user_1", "type": "birthday"}, "$.type"),
            ({"userId": "user_1", "type": "campaign_finished"}, "campaignId"),
            ({"userId": "user_1", "type": "campaign_finished", "campaignId": "x"}, "$.campaignId"),
            (
                {"userId": "user_1", "type": "welcome", "campaignId": "0" * 8 + "-0000-4000-8000-" + "0" * 12},
                "campaignId",
            ),
            ({"userId": "user_gone", "type": "welcome"}, "userId is 'user_gone', and users has no such user_id"),
        ],
        ids=str,
    )
    async def test_says_which_field_is_wrong(self, engine, resend, payload, words):
        row = await engine.run("send_email", payload)
        assert (row["status"], words in row["error"]) == ("failed", True), row["error"]
        assert "set the job to pending" in row["error"]
        assert resend.requests == []

    @pytest.mark.parametrize("email", [None, "", "  ", "ada", "ada@example.org, eve@example.org", "a@b\r\nBcc: c@d"])
    async def test_for_want_of_an_address_fails_and_is_done_once_there_is_one(self, engine, resend, email):
        user = new_user(engine.connection, email=email)
        row = await engine.run("send_email", welcome(user))
        assert (row["status"], "users.email" in row["error"]) == ("failed", True)
        assert (status_of(engine.connection, user, "welcome"), resend.requests) == ("failed", [])
        # When the address is mended and the job set to pending
        engine.connection.execute("UPDATE users SET email = 'ada@example.org' WHERE user_id = %s", (user,))
        engine.connection.execute("UPDATE background_jobs SET status = 'pending' WHERE id = %s", (row["id"],))
        assert (await again(engine, str(row["id"])))["status"] == "completed"
        assert status_of(engine.connection, user, "welcome") == "sent"


class TestAProviderThatFails:
    async def test_for_a_while_is_asked_again_with_the_same_key(self, engine, resend):
        resend.faults = [(500, {}, b"oops"), "cut", "cut after"]
        user = new_user(engine.connection)
        job_id = engine.put_in("send_email", welcome(user), max_retries=5)
        await engine.work_off("send_email")
        assert status_of(engine.connection, user, "welcome") == "sending"
        for _ in range(3):
            row = await again(engine, job_id)
        assert (row["status"], row["result"]["messageId"]) == ("completed", "re_0")
        assert len({request["headers"]["idempotency-key"] for request in resend.requests}) == 1
        assert (len(resend.requests), len(resend.sent)) == (4, 1)

    async def test_by_its_rate_is_waited_for_as_long_as_told(self, engine, resend):
        resend.faults = [(429, {"retry-after": "120"}, b"{}")]
        user = new_user(engine.connection)
        job_id = engine.put_in("send_email", welcome(user), max_retries=0)
        await engine.work_off("send_email")
        # Then no attempt is spent, and the mail is scheduled
        assert attempts(engine.connection, job_id) == [("wait", "rate_limit")]
        assert engine.connection.execute(
            "SELECT scheduled_for > worker.utc_now() + interval '100 s' FROM background_jobs WHERE id = %s", (job_id,)
        ).fetchone() == (True,)
        assert status_of(engine.connection, user, "welcome") == "scheduled"
        assert (await again(engine, job_id))["status"] == "completed"

    async def test_to_the_end_leaves_a_note_that_nobody_knows(self, engine, resend):
        resend.faults = ["cut"] * (RETRIES + 1)
        user = new_user(engine.connection)
        job_id = engine.put_in("send_email", welcome(user), max_retries=RETRIES)
        await engine.work_off("send_email")
        for _ in range(RETRIES):
            row = await again(engine, job_id)
        assert row["status"] == "failed"
        note = mails_of(engine.connection, user)["welcome"]
        assert (note["status"], note["outcome"]) == ("failed", "unknown")

    async def test_past_the_life_of_its_keys_is_not_asked_again(self, engine, resend):
        # Given a mail that was handed over a day ago by a job that is no more
        long_ago = (datetime.now(UTC) - timedelta(hours=24)).isoformat()
        note = {"status": "sending", "messageId": "<m@x>", "timestamp": long_ago, "via": "resend", "jobId": "gone"}
        user = new_user(engine.connection, mails={"welcome": note})
        row = await engine.run("send_email", welcome(user))
        # Then it is not sent, and somebody can look
        assert (row["status"], resend.requests) == ("failed", [])
        assert "nobody knows whether it went out" in row["error"]
        assert mails_of(engine.connection, user)["welcome"] == {**note, "status": "failed", "outcome": "unknown"}

    async def test_that_another_way_took_the_place_of_is_not_asked(self, engine, resend):
        now = datetime.now(UTC).isoformat()
        note = {"status": "sending", "messageId": "<m@x>", "timestamp": now, "via": "smtp", "jobId": "gone"}
        user = new_user(engine.connection, mails={"welcome": note})
        assert (await engine.run("send_email", welcome(user)))["status"] == "failed"
        assert resend.requests == []


class TestAMailServerThatFails:
    async def test_before_the_mail_is_tried_again(self, engine, smtp):
        smtp.replies["RCPT"] = b"450 greylisted"
        user = new_user(engine.connection)
        job_id = engine.put_in("send_email", welcome(user))
        await engine.work_off("send_email")
        assert attempts(engine.connection, job_id) == [("retry", "mail_put_off")]
        assert status_of(engine.connection, user, "welcome") == "scheduled"
        smtp.replies.clear()
        assert (await again(engine, job_id))["status"] == "completed"
        assert len(smtp.taken) == 1

    async def test_for_good_leaves_a_note_that_it_was_not_sent(self, engine, smtp):
        smtp.replies["RCPT"] = b"450 greylisted"
        user = new_user(engine.connection)
        row = await engine.run("send_email", welcome(user), max_retries=0)
        note = mails_of(engine.connection, user)["welcome"]
        assert (row["status"], note["status"], note["outcome"]) == ("failed", "failed", "not_sent")

    async def test_for_the_address_fails_at_once(self, engine, smtp):
        smtp.replies["RCPT"] = b"550 no such mailbox"
        user = new_user(engine.connection)
        row = await engine.run("send_email", welcome(user))
        assert (row["status"], "no such mailbox" in row["error"]) == ("failed", True)
        assert status_of(engine.connection, user, "welcome") == "failed"

    async def test_after_the_mail_is_never_asked_again_by_itself(self, engine, smtp):
        # Given a server that takes a mail and cuts the connection before it says so
        smtp.replies["."] = CUT
        user = new_user(engine.connection)
        job_id = engine.put_in("send_email", welcome(user))
        await engine.work_off("send_email")
        smtp.replies.clear()
        row = await again(engine, job_id)
        # Then the job fails and says what to do, also if it is set to pending again
        assert (row["status"], "nobody knows" in row["error"]) == ("failed", True)
        engine.connection.execute("UPDATE background_jobs SET status = 'pending' WHERE id = %s", (job_id,))
        row = await again(engine, job_id)
        assert (row["status"], len(smtp.taken)) == ("failed", 1)
        note = mails_of(engine.connection, user)["welcome"]
        assert (note["status"], note["outcome"]) == ("failed", "unknown")
        assert note["messageId"] == smtp.mails[0]["Message-ID"]
        assert note["messageId"] in row["error"]
        # When somebody does what it says
        engine.connection.execute(
            "UPDATE user_system_data SET email_schedule_status = email_schedule_status - 'welcome'"
        )
        engine.connection.execute("UPDATE background_jobs SET status = 'pending' WHERE id = %s", (job_id,))
        await again(engine, job_id)
        # Then it goes out once more, under the same Message-ID
        assert [mail["Message-ID"] for mail in smtp.mails] == [note["messageId"]] * 2
        assert status_of(engine.connection, user, "welcome") == "sent"


async def test_a_job_that_is_cancelled_while_its_mail_goes_out_leaves_a_true_note(engine, smtp):
    user = new_user(engine.connection)
    smtp.gate.clear()
    job_id = engine.put_in("send_email", welcome(user))
    running = asyncio.ensure_future(engine.work(await engine.lease("send_email")))
    await asyncio.to_thread(smtp.came.wait, 10)
    engine.connection.execute("UPDATE worker.tasks SET cancel_at = clock_timestamp(), cancel_reason = 'no more'")
    smtp.gate.set()
    await running
    assert background_job(engine.connection, job_id)["error"] == "cancelled: no more"
    assert status_of(engine.connection, user, "welcome") == "sent"


@pytest.mark.slow
@pytest.mark.parametrize("way", ["resend", "smtp"])
def test_a_worker_killed_between_the_mail_and_its_note_sends_no_second_mail(
    way, connection, database_url, redis_url, tmp_path
):
    with resend_sink() as resend, smtp_sink() as smtp:
        sink = resend if way == "resend" else smtp
        sink.gate.clear()
        settings = {
            "resend": {"RESEND_API_KEY": "re_test_key_1", "RESEND_BASE_URL": resend.url},
            "smtp": {"SMTP_URL": f"smtp://127.0.0.1:{smtp.port}"},
        }[way]
        with Fleet(database_url, redis_url, NO_PROVIDER, tmp_path, MAIL_FROM=SENDER, **settings) as fleet:
            fleet.reconciler()
            worker = fleet.worker()
            user = new_user(connection)
            job_id = insert_background_job(connection, "send_email", welcome(user))
            # Given a mail that was handed over, and a worker that dies before it hears of it
            eventually(sink.came.is_set)
            assert status_of(connection, user, "welcome") == "sending"
            fleet.kill(worker)
            sink.gate.set()
            # When another one works
            fleet.worker()
            eventually(lambda: state(connection, job_id) == "closed")
        row = background_job(connection, job_id)
        if way == "resend":
            # Then the provider is asked again, knows the key, and sends nothing
            assert (row["status"], row["result"]) == ("completed", {"sent": True, "messageId": "re_0"})
            assert (len(resend.requests), len(resend.sent)) == (2, 1)
            assert status_of(connection, user, "welcome") == "sent"
        else:
            # Then nobody knows, so it is not sent again, and the row says so
            assert (row["status"], "nobody knows" in row["error"]) == ("failed", True)
            assert len(smtp.taken) == 1
            assert mails_of(connection, user)["welcome"]["outcome"] == "unknown"
