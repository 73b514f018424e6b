"""``process_events``: events are handled in order for each aggregate, once, and a bad one holds up nobody else."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from db.queries.lanes import NewLane, ensure_lanes
from db.session import connect
from tests.integration.handlers.conftest import Engine
from tests.integration.handlers.followed import queued, raised
from tests.integration.handlers.mailing import new_user, sending_by, status_of
from tests.mail_sinks import resend_sink
from worker.lanes import UNROUTABLE_JOB, background_lane


@pytest.fixture(autouse=True)
def _lanes(connection):
    ensure_lanes(connection, [NewLane(UNROUTABLE_JOB, 1, 1)])


def happened(connection, event_type: str, aggregate: str = "user_1", /, data: Any = None, **columns: Any) -> str:
    """An event as a service writes it, after all others; give its key."""
    (count,) = connection.execute("SELECT count(*) FROM events").fetchone()
    row = {
        "aggregate_id": aggregate,
        "aggregate_type": "user",
        "event_type": event_type,
        "event_data": json.dumps({"userId": aggregate} if data is None else data),
        "timestamp": datetime.now(UTC).replace(tzinfo=None),
        "idempotency_key": f"key-{count}",
        "source_system": "user_action",
        **columns,
    }
    names, places = ", ".join(row), ", ".join(["%s"] * len(row))
    connection.execute(f"INSERT INTO events ({names}) VALUES ({places})".encode(), list(row.values()))
    return row["idempotency_key"]


def standing(connection) -> dict[str, tuple[str, int]]:
    """Status and tries of every event, by key."""
    return {one["idempotency_key"]: (one["processing_status"], one["retry_count"]) for one in raised(connection)}


AN_HOUR_AGO = datetime.now(UTC).replace(tzinfo=None) - timedelta(hours=1)


def mails_after(connection, moment: datetime) -> dict[tuple[str, str], timedelta]:
    """How long after a moment each queued mail goes out, by user and type."""
    rows = connection.execute(
        "SELECT payload ->> 'userId', payload ->> 'type', scheduled_for - %s FROM background_jobs"
        " WHERE job_type = 'send_email'",
        (moment,),
    ).fetchall()
    return {(user, mail): after for user, mail, after in rows}


def told(**counts: int) -> dict[str, int]:
    """A run's result; what is not named is nothing."""
    return {"completed": 0, "retried": 0, "failed": 0, "jobs": 0, "closed": 0, **counts}


async def process(engine: Engine, **payload: Any) -> dict[str, Any]:
    row = await engine.run("process_events", payload)
    assert row["status"] == "completed", row["error"]
    return row["result"]


class TestWhatFollows:
    async def test_a_trial_that_starts_is_its_mails(self, engine, connection):
        happened(connection, "trial_started")
        assert await process(engine) == told(completed=1, jobs=1)
        assert queued(connection, "schedule_trial_emails") == [
            {"payload": {"userId": "user_1"}, "priority": 100, "delay": 0}
        ]
        (event,) = raised(connection)
        assert (event["processing_status"], event["error"]) == ("completed", None)
        assert event["processed_at"] is not None

    async def test_a_subscription_is_its_welcome_half_a_minute_later(self, engine, connection):
        happened(connection, "subscription_created", "sub_1", {"userId": "user_1"}, aggregate_type="subscription")
        await process(engine)
        assert queued(connection, "send_email") == [
            {"payload": {"userId": "user_1", "type": "subscription_welcome"}, "priority": 100, "delay": 30}
        ]

    @pytest.mark.parametrize("event_type", ["job_completed", "job_failed", "job_timeout"])
    async def test_a_job_that_ends_is_a_look_at_its_campaign(self, engine, connection, event_type):
        happened(connection, event_type, "0b8e4f9e-6f0c-4a57-b0e4-56f0d0a4c001", {}, aggregate_type="scraping_job")
        await process(engine)
        ((job),) = queued(connection, "finish_campaign")
        assert job["payload"] == {"jobId": "0b8e4f9e-6f0c-4a57-b0e4-56f0d0a4c001"}

    async def test_a_subscription_of_last_week_is_no_welcome(self, engine, connection):
        old = datetime.now(UTC).replace(tzinfo=None) - timedelta(days=7)
        happened(connection, "subscription_created", timestamp=old)
        assert await process(engine) == told(completed=1)


class TestASignUp:
    @pytest.mark.parametrize("event_type", ["user_created", "user_registered"])
    async def test_is_a_welcome_and_a_reminder_that_count_from_it(self, engine, connection, event_type):
        happened(connection, event_type, timestamp=AN_HOUR_AGO)
        assert await process(engine) == told(completed=1, jobs=2)
        assert mails_after(connection, AN_HOUR_AGO) == {
            ("user_1", "welcome"): timedelta(minutes=10),
            ("user_1", "abandonment"): timedelta(hours=2),
        }

    async def test_waits_as_long_as_the_application_configured(self, engine, connection):
        for name, value in (("welcome_delay", "3h"), ("abandonment_delay", "2 days")):
            connection.execute(
                "INSERT INTO system_configurations (category, key, value, value_type)"
                " VALUES ('email', %s, %s, 'duration')",
                (name, value),
            )
        happened(connection, "user_created", timestamp=AN_HOUR_AGO)
        await process(engine)
        assert mails_after(connection, AN_HOUR_AGO) == {
            ("user_1", "welcome"): timedelta(hours=3),
            ("user_1", "abandonment"): timedelta(days=2),
        }

    async def test_told_under_both_names_is_one_mail_of_each_kind(self, engine, connection):
        happened(connection, "user_created")
        happened(connection, "user_registered", "row_1", {"userId": "user_1"})
        happened(connection, "user_created", "user_2")
        assert await process(engine) == told(completed=3, jobs=4)
        assert len(queued(connection, "send_email")) == 4

    async def test_of_long_ago_sends_no_mail_that_is_too_late(self, engine, connection):
        # Given one whose welcome is a day late and whose reminder is not, and one of last month
        now = datetime.now(UTC).replace(tzinfo=None)
        happened(connection, "user_created", "user_1", timestamp=now - timedelta(hours=25))
        happened(connection, "user_created", "user_2", timestamp=now - timedelta(days=30))
        assert await process(engine) == told(completed=2, jobs=1)
        ((job),) = queued(connection, "send_email")
        assert job["payload"] == {"userId": "user_1", "type": "abandonment"}

    async def test_without_a_user_says_so(self, engine, connection):
        happened(connection, "user_created", "row_1", {}, aggregate_type="account")
        assert await process(engine) == told(retried=1)
        assert "event_data.userId" in raised(connection)[0]["error"]

    @pytest.mark.parametrize(
        ("step", "trial", "paid", "status"),
        [
            ("pending", "pending", "none", "sent"),
            ("completed", "pending", "none", "cancelled"),
            ("step-1", "active", "trialing", "cancelled"),
            ("step-1", "pending", "active", "cancelled"),
        ],
    )
    async def test_reminds_only_who_has_not_finished_by_then(
        self, engine, connection, monkeypatch, step, trial, paid, status
    ):
        # Given a user who has just signed up
        user = new_user(connection, "pending", subscription="none")
        happened(connection, "user_created", user)
        await process(engine)
        # When the user comes so far before the mails are due
        connection.execute("UPDATE users SET onboarding_step = %s", (step,))
        connection.execute("UPDATE user_subscriptions SET trial_status = %s, subscription_status = %s", (trial, paid))
        ensure_lanes(connection, [NewLane(background_lane("send_email"), 8, 8)])
        with resend_sink() as sink, sending_by(monkeypatch, RESEND_API_KEY="re_1", RESEND_BASE_URL=sink.url):
            engine.adopt()
            engine.make_due()
            await engine.work_off("send_email")
        assert status_of(connection, user, "welcome") == "sent"
        assert status_of(connection, user, "abandonment") == status


class TestAnEventOfOthers:
    @pytest.mark.parametrize("event_type", ["admin_action", "payment_failed", "trial_expired", "of_another_service"])
    async def test_is_left_to_them_and_holds_nothing_up(self, engine, connection, event_type):
        theirs = happened(connection, event_type)
        ours = happened(connection, "trial_started")
        for _ in range(2):
            await process(engine, batch=1)
        assert standing(connection) == {theirs: ("pending", 0), ours: ("completed", 0)}

    async def test_leaves_room_in_a_batch(self, engine, connection):
        for _ in range(5):
            happened(connection, "admin_action")
        happened(connection, "trial_started")
        assert await process(engine, batch=2) == told(completed=1, jobs=1)


class TestAnEventOfTrawlerThatAsksForNothing:
    @pytest.mark.parametrize("event_type", ["provider_paused", "provider_drift", "configuration_invalid"])
    async def test_is_closed(self, engine, connection, event_type):
        happened(connection, event_type, source_system="trawler")
        assert await process(engine) == told(closed=1)
        (event,) = raised(connection)
        assert (event["processing_status"], event["processed_at"] is not None) == ("completed", True)

    async def test_holds_up_no_event_of_its_aggregate_though_somebody_reads_it(self, engine, connection, database_url):
        told_people = happened(connection, "provider_paused", source_system="trawler")
        after = happened(connection, "trial_started")
        with connection.transaction():
            connection.execute("SELECT FROM events WHERE idempotency_key = %s FOR UPDATE", (told_people,))
            await process_beside(engine, database_url)
        assert standing(connection) == {told_people: ("pending", 0), after: ("completed", 0)}

    async def test_is_closed_in_batches_and_no_more_than_are_asked_for(self, engine, connection):
        for _ in range(7):
            happened(connection, "provider_paused", source_system="trawler")
        assert await process(engine, batch=2, most=5) == told(closed=5)
        assert await process(engine, batch=2) == told(closed=2)


class TestOnce:
    async def test_an_event_is_handled_though_it_is_set_back(self, engine, connection):
        happened(connection, "trial_started")
        await process(engine)
        connection.execute("UPDATE events SET processing_status = 'pending'")
        assert (await process(engine))["jobs"] == 0
        assert len(queued(connection, "schedule_trial_emails")) == 1

    async def test_what_others_have_in_hand_or_have_ended_is_left_alone(self, engine, connection):
        for status in ("processing", "completed", "failed"):
            happened(connection, "trial_started", f"user_{status}", processing_status=status)
        # An earlier event in other hands does not hold up the next.
        happened(connection, "trial_started", "user_processing")
        assert (await process(engine))["completed"] == 1
        assert [status for status, _ in standing(connection).values()] == [
            "processing",
            "completed",
            "failed",
            "completed",
        ]

    async def test_two_runs_at_once_handle_each_event_once(self, engine, connection):
        for number in range(60):
            happened(connection, "trial_started", f"user_{number % 7}")
        for _ in range(2):
            engine.put_in("process_events", {"batch": 3})
        # Both jobs are claimed together and run side by side
        await engine.work_off("process_events")
        assert len(queued(connection, "schedule_trial_emails")) == 60
        assert {status for status, _ in standing(connection).values()} == {"completed"}


class TestTheOrder:
    async def test_is_that_of_each_aggregate(self, engine, connection):
        expected = [happened(connection, "trial_started", f"user_{n % 2}", {"userId": f"u{n}"}) for n in range(8)]
        await process(engine, batch=3)
        users = [job["payload"]["userId"] for job in queued(connection, "schedule_trial_emails")]
        assert users == [f"u{n}" for n in range(len(expected))]

    async def test_waits_for_an_event_that_another_holds(self, engine, connection, database_url):
        first, second = (happened(connection, "trial_started") for _ in range(2))
        other = happened(connection, "trial_started", "user_2")
        # Given that somebody is just handling the first
        with connection.transaction():
            connection.execute("SELECT FROM events WHERE idempotency_key = %s FOR UPDATE", (first,))
            await process_beside(engine, database_url)
        # Then the one after it was left, and the other aggregate's was not
        assert standing(connection) == {
            first: ("pending", 0),
            second: ("pending", 0),
            other: ("completed", 0),
        }
        assert (await process(engine))["completed"] == 2

    async def test_of_those_left_over_is_kept_by_the_next_run(self, engine, connection):
        for _ in range(5):
            happened(connection, "trial_started")
        assert (await process(engine, most=3))["completed"] == 3
        assert (await process(engine))["completed"] == 2


async def process_beside(engine: Engine, database_url: str) -> None:
    """Run the job while the test's own connection is in a transaction: rows go in by another."""
    with connect(database_url, "beside") as beside:
        held, engine.connection = engine.connection, beside
        try:
            await process(engine)
        finally:
            engine.connection = held


class TestAnEventThatCannotBeHandled:
    async def test_holds_up_its_own_aggregate_and_no_other(self, engine, connection):
        # Given an event without its user, one after it, and those of others
        poison = happened(connection, "subscription_created", "sub_1", {}, aggregate_type="subscription")
        after = happened(connection, "trial_started", "sub_1", {"userId": "u"}, aggregate_type="subscription")
        others = [happened(connection, "trial_started", f"user_{n}") for n in range(5)]
        assert await process(engine, batch=1) == told(completed=5, retried=1, jobs=5)
        stands = standing(connection)
        assert (stands[poison], stands[after]) == (("pending", 1), ("pending", 0))
        assert {stands[key] for key in others} == {("completed", 0)}
        # And says what is wrong with it
        (event,) = raised(connection, "subscription_created")
        for words in ("event_data.userId", "None", "correct the event"):
            assert words in event["error"]

    async def test_fails_after_five_tries_and_lets_the_next_pass(self, engine, connection):
        poison = happened(connection, "subscription_created", "sub_1", {}, aggregate_type="subscription")
        after = happened(connection, "trial_started", "sub_1", {"userId": "u"}, aggregate_type="subscription")
        for _ in range(4):
            assert (await process(engine))["completed"] == 0
        assert await process(engine) == told(completed=1, failed=1, jobs=1)
        assert standing(connection) == {poison: ("failed", 5), after: ("completed", 0)}

    async def test_once_mended_is_handled(self, engine, connection):
        happened(connection, "subscription_created", "sub_1", {}, aggregate_type="subscription")
        await process(engine)
        connection.execute('UPDATE events SET event_data = \'{"userId": "user_1"}\'')
        assert (await process(engine))["completed"] == 1
        (event,) = raised(connection)
        assert (event["processing_status"], event["error"]) == ("completed", None)

    async def test_by_the_database_leaves_nothing_of_itself(self, engine, connection):
        # Given a table of jobs that refuses one of the two
        connection.execute("ALTER TABLE background_jobs ADD CHECK (job_type <> 'send_email')")
        happened(connection, "subscription_created", "sub_1", {"userId": "u"}, aggregate_type="subscription")
        happened(connection, "trial_started")
        assert await process(engine) == told(completed=1, retried=1, jobs=1)
        assert connection.execute("SELECT count(*) FROM worker.enqueue_keys").fetchone() == (1,)


async def test_a_payload_out_of_bounds_names_the_field(engine):
    row = await engine.run("process_events", {"batch": 0})
    assert row["status"] == "failed"
    assert "$.batch" in row["error"]
