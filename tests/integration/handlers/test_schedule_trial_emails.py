"""``schedule_trial_emails`` by the engine's own path: the series is there once, at its times, or not at all."""

from datetime import timedelta

import psycopg
import pytest

from actors.mail.contract import TRIAL_MAILS
from db.queries import lanes
from tests.integration.handlers.mailing import mails_of, new_user, sending_by, status_of
from tests.jobs import attempts, background_job
from tests.mail_sinks import resend_sink
from worker.lanes import background_lane

MOMENT = timedelta(minutes=1)


@pytest.fixture(autouse=True)
def _lane(engine):
    """The lane of the mails, as a reconciler makes it."""
    lane = background_lane("send_trial_email")
    lanes.ensure_lanes(engine.connection, [lanes.NewLane(lane, 256, 256)])


def series(connection: psycopg.Connection, user: str) -> dict[str, timedelta]:
    """How long from now each queued mail goes out."""
    return dict(
        connection.execute(
            "SELECT payload ->> 'type', scheduled_for - worker.utc_now() FROM background_jobs"
            " WHERE job_type = 'send_trial_email' AND payload ->> 'userId' = %s ORDER BY scheduled_for",
            (user,),
        ).fetchall()
    )


def about(found: dict[str, timedelta], **days: float) -> bool:
    """Whether these mails and no others are queued, each for its day."""
    return found.keys() == days.keys() and all(
        timedelta(days=days[mail]) - MOMENT < found[mail] <= timedelta(days=days[mail]) for mail in days
    )


async def test_the_series_is_queued_and_noted(engine):
    user = new_user(engine.connection)
    row = await engine.run("schedule_trial_emails", {"userId": user})
    # Then each mail has a job at its time
    assert about(series(engine.connection, user), trial_day2=2, trial_day5=5, trial_expiry=7)
    # And a note that names its job
    noted = mails_of(engine.connection, user)
    assert {note["status"] for note in noted.values()} == {"scheduled"}
    for mail in TRIAL_MAILS:
        job = background_job(engine.connection, noted[mail]["messageId"])
        assert (job["job_type"], job["status"]) == ("send_trial_email", "pending")
    assert row["result"]["scheduled"].keys() == set(TRIAL_MAILS)


async def test_asked_for_again_nothing_is_new(engine):
    user = new_user(engine.connection)
    await engine.run("schedule_trial_emails", {"userId": user})
    before = (series(engine.connection, user).keys(), mails_of(engine.connection, user))
    row = await engine.run("schedule_trial_emails", {"userId": user})
    assert (series(engine.connection, user).keys(), mails_of(engine.connection, user)) == before
    assert row["result"] == {"scheduled": {}, "left": dict.fromkeys(TRIAL_MAILS, "already_scheduled")}


async def test_a_note_that_somebody_removed_makes_no_second_job(engine):
    user = new_user(engine.connection)
    await engine.run("schedule_trial_emails", {"userId": user})
    noted = mails_of(engine.connection, user)
    engine.connection.execute("UPDATE user_system_data SET email_schedule_status = '{}'")
    await engine.run("schedule_trial_emails", {"userId": user})
    assert len(series(engine.connection, user)) == 3
    again = mails_of(engine.connection, user)
    assert {mail: again[mail]["messageId"] for mail in TRIAL_MAILS} == {
        mail: noted[mail]["messageId"] for mail in TRIAL_MAILS
    }
    (count,) = engine.connection.execute(
        "SELECT count(*) FROM background_jobs WHERE job_type = 'send_trial_email'"
    ).fetchone()
    assert count == 3


async def test_what_the_application_scheduled_or_sent_is_left_alone(engine):
    mails = {
        "trial_day2": {"status": "sent", "messageId": "msg_1", "timestamp": "2026-01-01T00:00:00Z"},
        "trial_day5": {"status": "scheduled", "messageId": "msg_2", "timestamp": "2026-01-01T00:00:00Z"},
    }
    user = new_user(engine.connection, mails=mails)
    row = await engine.run("schedule_trial_emails", {"userId": user})
    assert about(series(engine.connection, user), trial_expiry=7)
    assert row["result"]["left"] == {"trial_day2": "already_sent", "trial_day5": "already_scheduled"}
    noted = mails_of(engine.connection, user)
    assert {mail: noted[mail] for mail in mails} == mails


async def test_the_delays_are_the_platform_s_configuration(engine):
    engine.connection.execute("DELETE FROM system_configurations WHERE category = 'email'")
    engine.connection.execute(
        "INSERT INTO system_configurations (category, key, value, value_type) VALUES"
        " ('email', 'trial_day_2_delay', '1 day', 'duration'), ('email', 'trial_expiry_delay', '14 days', 'duration')"
    )
    user = new_user(engine.connection)
    await engine.run("schedule_trial_emails", {"userId": user})
    assert about(series(engine.connection, user), trial_day2=1, trial_day5=5, trial_expiry=14)


async def test_times_count_from_the_trial_s_start_and_what_is_long_past_is_left_out(engine):
    user = new_user(engine.connection, days_ago=4)
    row = await engine.run("schedule_trial_emails", {"userId": user})
    assert about(series(engine.connection, user), trial_day5=1, trial_expiry=3)
    assert row["result"]["left"] == {"trial_day2": "too_late"}
    assert status_of(engine.connection, user, "trial_day2") is None


async def test_without_a_trial_s_start_times_count_from_now(engine):
    user = new_user(engine.connection, None)
    await engine.run("schedule_trial_emails", {"userId": user})
    assert about(series(engine.connection, user), trial_day2=2, trial_day5=5, trial_expiry=7)


@pytest.mark.parametrize(
    ("trial", "subscription", "reason"),
    [("converted", "active", "trial_converted"), ("cancelled", "canceled", "trial_cancelled")],
)
async def test_who_converted_or_cancelled_gets_no_series(engine, trial, subscription, reason):
    user = new_user(engine.connection, trial, subscription=subscription)
    row = await engine.run("schedule_trial_emails", {"userId": user})
    assert row["result"] == {"scheduled": {}, "left": dict.fromkeys(TRIAL_MAILS, reason)}
    assert (series(engine.connection, user), mails_of(engine.connection, user)) == ({}, {})


async def test_an_unknown_user_fails_at_once(engine):
    row = await engine.run("schedule_trial_emails", {"userId": "user_gone"}, max_retries=5)
    assert (row["status"], "'user_gone'" in row["error"]) == ("failed", True)
    assert attempts(engine.connection, str(row["id"])) == [("error", "unknown_user")]


async def test_a_payload_without_a_user_says_so(engine):
    row = await engine.run("schedule_trial_emails", {})
    assert (row["status"], "`userId`" in row["error"]) == ("failed", True)


async def test_all_of_it_happens_or_nothing(engine):
    # Given a job whose last step the database refuses
    user = new_user(engine.connection)
    engine.connection.execute(
        "ALTER TABLE background_jobs ADD CONSTRAINT refused CHECK (job_type <> 'schedule_trial_emails'"
        " OR status <> 'completed')"
    )
    row = await engine.run("schedule_trial_emails", {"userId": user}, max_retries=0)
    # Then no mail is queued and none is noted
    assert row["status"] == "failed"
    assert (series(engine.connection, user), mails_of(engine.connection, user)) == ({}, {})


async def test_the_whole_series_goes_out_when_its_time_comes_and_stops_at_the_conversion(engine, monkeypatch):
    with resend_sink() as sink, sending_by(monkeypatch, RESEND_API_KEY="re_1", RESEND_BASE_URL=sink.url):
        user = new_user(engine.connection)
        await engine.run("schedule_trial_emails", {"userId": user})
        # Given that the second day has come, and the user converts after it
        day2 = (mails_of(engine.connection, user)["trial_day2"]["messageId"],)
        engine.connection.execute(
            "UPDATE background_jobs SET scheduled_for = worker.utc_now() WHERE id = %s::uuid", day2
        )
        engine.connection.execute("UPDATE worker.tasks SET run_at = clock_timestamp() WHERE job_id = %s", day2)
        await engine.work_off("send_trial_email")
        engine.connection.execute("UPDATE user_subscriptions SET trial_status = 'converted'")
        # When the other days come
        engine.make_due()
        await engine.work_off("send_trial_email")
    # Then only the first mail went out
    assert [status_of(engine.connection, user, mail) for mail in TRIAL_MAILS] == ["sent", "cancelled", "cancelled"]
    assert len(sink.requests) == 1
