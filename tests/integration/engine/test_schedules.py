"""Schedules: rows put in by the clock, each once, whoever looks and whatever breaks."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from threading import Barrier
from zoneinfo import ZoneInfo

import psycopg
import pytest
from structlog.testing import capture_logs

from db.queries.scheduling import due_schedules, fire, move_on
from db.session import connect
from worker.errors import ConfigurationError
from worker.scheduling import Fired, fire_due, list_schedules, put_schedule, remove_schedule

BERLIN = ZoneInfo("Europe/Berlin")
NOON = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def put(connection: psycopg.Connection, name: str = "report", cron: str = "* * * * *", **more) -> None:
    put_schedule(connection, name, cron, **({"job_type": "send_report", "now": NOON} | more))


def slots_put_in(connection: psycopg.Connection) -> list[datetime]:
    """The slots of the jobs put in, in order, by what handlers read."""
    rows = connection.execute("SELECT payload ->> 'slot' FROM background_jobs ORDER BY scheduled_for").fetchall()
    return [datetime.fromisoformat(slot) for (slot,) in rows]


def next_at(connection: psycopg.Connection, name: str = "report") -> datetime | None:
    row = connection.execute("SELECT next_at FROM worker.schedules WHERE name = %s", (name,)).fetchone()
    assert row is not None
    return row[0]


def names(fired: Sequence[Fired]) -> list[str]:
    return [one.name for one in fired]


def test_a_firing_puts_in_a_job_that_tells_its_slot(connection):
    # Given a schedule whose minute comes, and a session whose zone is not UTC
    put(connection, payload={"list": 7}, priority=20)
    connection.execute("SET TIME ZONE 'Asia/Tokyo'")
    # When somebody looks a little late
    slot = NOON + MINUTE
    (fired,) = fire_due(connection, slot + timedelta(seconds=3))
    # Then the row is the application's kind of row, with times in UTC
    row = connection.execute(
        "SELECT id::text, job_type, payload, priority, status, scheduled_for,"
        " abs(extract(epoch FROM created_at - clock_timestamp() AT TIME ZONE 'UTC')) < 60 FROM background_jobs"
    ).fetchone()
    payload = {"list": 7, "slot": "2026-06-01T12:01:00+00:00"}
    assert row == (fired.job_id, "send_report", payload, 20, "pending", slot.replace(tzinfo=None), True)
    assert fired == Fired("report", slot, fired.job_id, "send_report")
    # And the engine was told of it, its key names it, the schedule moved on
    assert connection.execute("SELECT job_table, job_id FROM worker.inbox").fetchall() == [
        ("background_jobs", fired.job_id)
    ]
    assert connection.execute("SELECT key, job_table, job_id FROM worker.enqueue_keys").fetchall() == [
        ("schedule:report:2026-06-01T12:01:00+00:00", "background_jobs", fired.job_id)
    ]
    assert connection.execute("SELECT next_at, last_at FROM worker.schedules").fetchone() == (slot + MINUTE, slot)


def test_nothing_fires_before_its_time_or_twice(connection):
    put(connection)
    looks = [timedelta(seconds=s) for s in (0, 59.999, 60, 60.001, 119.999, 120, 120.5)]
    assert [len(fire_due(connection, NOON + look)) for look in looks] == [0, 0, 1, 0, 0, 1, 0]


def test_a_schedule_without_a_time_gets_its_first_from_now_and_never_fires_for_the_past(connection):
    # Given a schedule put in by hand
    connection.execute("INSERT INTO worker.schedules (name, cron, job_type) VALUES ('report', '0 0 * * *', 'x')")
    # When somebody looks, at midnight exactly
    assert fire_due(connection, datetime(2026, 6, 1, tzinfo=UTC)) == []
    # Then the next midnight is the first
    assert next_at(connection) == datetime(2026, 6, 2, tzinfo=UTC)
    assert len(fire_due(connection, datetime(2026, 6, 2, tzinfo=UTC))) == 1


def test_of_missed_slots_once_fires_the_newest(connection):
    put(connection, cron="0 * * * *", missed="once")
    fired = fire_due(connection, NOON + timedelta(hours=5, minutes=20))
    assert [one.slot for one in fired] == [NOON + timedelta(hours=5)]
    assert next_at(connection) == NOON + timedelta(hours=6)


@pytest.mark.parametrize(("late", "fires"), [(60.0, True), (60.001, False)])
def test_of_missed_slots_skip_fires_only_one_that_is_a_minute_old_at_most(connection, late, fires):
    put(connection, cron="0 * * * *", missed="skip")
    fired = fire_due(connection, NOON + timedelta(hours=5, seconds=late))
    assert [one.slot for one in fired] == ([NOON + timedelta(hours=5)] if fires else [])
    assert next_at(connection) == NOON + timedelta(hours=6)


def test_a_disabled_schedule_does_not_fire_nor_make_up_for_it_when_enabled_again(connection):
    put(connection)
    put(connection, enabled=False)
    assert fire_due(connection, NOON + timedelta(hours=1)) == []
    put(connection, now=NOON + timedelta(hours=2))
    assert fire_due(connection, NOON + timedelta(hours=2)) == []
    assert next_at(connection) == NOON + timedelta(hours=2) + MINUTE
    # Nor one that was disabled by hand
    connection.execute("UPDATE worker.schedules SET enabled = false, next_at = %s", (NOON,))
    put(connection, now=NOON + timedelta(hours=2))
    assert next_at(connection) == NOON + timedelta(hours=2) + MINUTE


@pytest.mark.parametrize(
    ("first_day", "cron", "counts"),
    [
        (datetime(2026, 3, 28, tzinfo=BERLIN), "30 2 * * *", {28: 1, 29: 1, 30: 1}),
        (datetime(2026, 10, 24, tzinfo=BERLIN), "30 2 * * *", {24: 1, 25: 1, 26: 1}),
        (datetime(2026, 3, 28, tzinfo=BERLIN), "0 * * * *", {28: 24, 29: 23, 30: 24}),
        (datetime(2026, 10, 24, tzinfo=BERLIN), "0 * * * *", {24: 24, 25: 25, 26: 24}),
    ],
)
def test_changes_of_clocks_cost_no_firing_and_add_none(connection, first_day, cron, counts):
    # Given a schedule made the second before the first day, and three days of looks every ten minutes
    start, end = first_day.astimezone(UTC), (first_day + timedelta(days=3)).astimezone(UTC)
    put(connection, cron=cron, time_zone="Europe/Berlin", now=start - timedelta(seconds=1))
    now = start
    while now < end:
        fire_due(connection, now)
        now += timedelta(minutes=10)
    # Then each day in Berlin has its firings, each another moment
    slots = slots_put_in(connection)
    assert len(set(slots)) == len(slots)
    days = [slot.astimezone(BERLIN).day for slot in slots]
    assert {day: days.count(day) for day in set(days)} == counts


def test_eight_reconcilers_at_once_fire_fifty_schedules_once_each(connection, database_url):
    # Given fifty due schedules
    for number in range(50):
        put(connection, f"schedule {number:02}")
    together = Barrier(8)

    def look(_: int) -> list[str]:
        with connect(database_url) as own:
            together.wait(30)
            return names(fire_due(own, NOON + MINUTE))

    # When eight look at the same moment
    with ThreadPoolExecutor(8) as pool:
        fired = [name for found in pool.map(look, range(8)) for name in found]
    # Then there are fifty rows, and each was put in by one of them
    assert sorted(fired) == [f"schedule {number:02}" for number in range(50)]
    assert connection.execute("SELECT count(*) FROM background_jobs").fetchone() == (50,)
    assert connection.execute("SELECT count(*) FROM worker.enqueue_keys").fetchone() == (50,)
    assert fire_due(connection, NOON + MINUTE) == []


def test_a_process_that_dies_in_between_leaves_the_slot_to_the_next(connection, database_url):
    put(connection)
    put(connection, "other")
    # Given a process that has put in the jobs and not committed; nobody waits for it, nobody fires twice
    with closing(connect(database_url, autocommit=False)) as dying:
        assert names(fire_due(dying, NOON + MINUTE)) == ["other", "report"]
        (pid,) = dying.execute("SELECT pg_backend_pid()").fetchone()
        assert fire_due(connection, NOON + MINUTE) == []
        # When it dies
        assert connection.execute("SELECT pg_terminate_backend(%s, 10000)", (pid,)).fetchone() == (True,)
    # Then nothing was put in, and the next look does it
    assert slots_put_in(connection) == []
    assert next_at(connection) == NOON + MINUTE
    assert names(fire_due(connection, NOON + MINUTE)) == ["other", "report"]
    assert slots_put_in(connection) == [NOON + MINUTE, NOON + MINUTE]


def test_whoever_saw_the_schedule_before_it_moved_or_changed_does_nothing(connection):
    # Given two who see the same schedule due, of whom one fires it
    put(connection)
    (seen,) = due_schedules(connection, NOON + MINUTE)
    fire_due(connection, NOON + MINUTE)
    # Then the other neither fires nor moves it, even under another key
    assert fire(connection, seen, NOON + MINUTE, NOON + 3 * MINUTE, "another key") is None
    move_on(connection, seen, NOON + 3 * MINUTE)
    assert next_at(connection) == NOON + 2 * MINUTE
    # Nor does one who saw it before it got another cron text with the same next time
    (seen,) = due_schedules(connection, NOON + 2 * MINUTE)
    connection.execute("UPDATE worker.schedules SET cron = '2 12 * * *'")
    assert fire(connection, seen, NOON + 2 * MINUTE, NOON + 3 * MINUTE, "a third key") is None
    assert slots_put_in(connection) == [NOON + MINUTE]


def test_a_slot_whose_job_is_already_there_is_not_fired_again(connection):
    # Given a schedule whose time somebody set back by hand
    put(connection)
    fire_due(connection, NOON + MINUTE)
    connection.execute("UPDATE worker.schedules SET next_at = %s", (NOON + MINUTE,))
    # Then its key guards it, and it goes on
    assert fire_due(connection, NOON + MINUTE) == []
    assert slots_put_in(connection) == [NOON + MINUTE]
    assert names(fire_due(connection, NOON + 2 * MINUTE)) == ["report"]


@pytest.mark.parametrize(
    ("broken", "seen"),
    [
        ("cron = '61 * * * *'", "Bad minute"),
        ("cron = '* * */20 * 1L'", "no day of the next 50 years"),
        ("time_zone = 'Mars/Olympus'", "Mars/Olympus"),
        ("job_type = repeat('x', 101)", "value too long"),
    ],
)
def test_a_broken_schedule_is_left_told_once_and_holds_up_no_other(connection, broken, seen):
    # Given a schedule broken by hand, named before a good one
    name = f"a broken one: {seen}"
    put(connection, name)
    put(connection, "good")
    connection.execute(f"UPDATE worker.schedules SET {broken} WHERE name = %s".encode(), (name,))
    # When it is looked at three times
    with capture_logs() as logs:
        fired = [names(fire_due(connection, NOON + minutes * MINUTE)) for minutes in (1, 2, 3)]
    # Then the good one fires each time, the log tells once, the broken one is as it was
    assert fired == [["good"]] * 3
    (told,) = [line for line in logs if line["event"] == "schedule_invalid"]
    assert told["schedule"] == name
    assert seen in told["error"]
    assert next_at(connection, name) == NOON + MINUTE
    # And mended, it fires
    put(connection, name)
    connection.execute("UPDATE worker.schedules SET next_at = %s WHERE name = %s", (NOON + 3 * MINUTE, name))
    assert names(fire_due(connection, NOON + 3 * MINUTE)) == [name]


def test_a_job_the_table_refuses_spoils_nothing_of_the_callers_transaction(connection, database_url):
    put(connection, "a refused one, in a transaction")
    put(connection, "good")
    connection.execute("UPDATE worker.schedules SET job_type = repeat('x', 101) WHERE name LIKE 'a refused%'")
    with connect(database_url, autocommit=False) as own:
        assert names(fire_due(own, NOON + MINUTE)) == ["good"]
        own.commit()
    assert slots_put_in(connection) == [NOON + MINUTE]


def test_a_new_cron_text_or_zone_counts_from_now_and_anything_else_keeps_the_time(connection):
    put(connection, cron="0 9 * * *")
    later = NOON + timedelta(days=10)
    # A due time survives a change of the payload
    put(connection, cron="0 9 * * *", payload={"list": 8}, priority=5, now=later)
    assert next_at(connection) == datetime(2026, 6, 2, 9, 0, tzinfo=UTC)
    # A new zone and a new text do not fire for the past
    put(connection, cron="0 9 * * *", time_zone="Europe/Berlin", now=later)
    assert next_at(connection) == datetime(2026, 6, 12, 7, 0, tzinfo=UTC)
    put(connection, cron="30 9 * * *", time_zone="Europe/Berlin", now=later)
    assert next_at(connection) == datetime(2026, 6, 12, 7, 30, tzinfo=UTC)
    assert fire_due(connection, later) == []


def test_without_a_time_given_the_databases_clock_counts(connection):
    put_schedule(connection, "report", "* * * * *", job_type="send_report")
    assert connection.execute(
        "SELECT abs(extract(epoch FROM next_at - clock_timestamp())) <= 60 FROM worker.schedules"
    ).fetchone() == (True,)


@pytest.mark.parametrize(
    ("wrong", "seen"),
    [
        ({"cron": "61 * * * *"}, "Bad minute; expected minute, hour"),
        ({"cron": "* * */20 * 1L"}, "no day of the next 50 years"),
        ({"time_zone": "Mars/Olympus"}, "expected a name such as"),
        ({"name": " "}, "name is ' '; expected"),
        ({"job_type": ""}, "job_type is ''; expected 1 to 100"),
        ({"job_type": "x" * 101}, "expected 1 to 100"),
        ({"missed": "all"}, "missed is 'all'; expected 'skip' or 'once'"),
        ({"priority": 2**31}, "expected a 32-bit integer"),
        ({"payload": {"slot": 1}}, "key 'slot'; expected none"),
    ],
)
def test_a_wrong_schedule_is_refused_with_what_was_expected_and_changes_nothing(connection, wrong, seen):
    put(connection, cron="0 9 * * *")
    before = connection.execute("SELECT * FROM worker.schedules").fetchall()
    with pytest.raises(ConfigurationError, match=seen):
        put(connection, **wrong)
    assert connection.execute("SELECT * FROM worker.schedules").fetchall() == before


def test_the_list_shows_the_next_five_firings_and_what_is_wrong(connection):
    put(connection, "daily", "0 9 * * *", time_zone="Europe/Berlin", payload={"list": 7})
    put(connection, "off", enabled=False)
    put(connection, "wrong")
    connection.execute("UPDATE worker.schedules SET cron = 'often' WHERE name = 'wrong'")
    daily, off, wrong = list_schedules(connection, NOON)
    assert daily.firings == tuple(datetime(2026, 6, day, 7, 0, tzinfo=UTC) for day in range(2, 7))
    assert (daily.stored.name, daily.stored.payload, daily.stored.next_at) == ("daily", {"list": 7}, daily.firings[0])
    assert (off.stored.enabled, off.firings, off.problem) == (False, (), None)
    assert wrong.firings == ()
    assert wrong.problem is not None
    assert "cron is 'often'" in wrong.problem


def test_a_removed_schedule_fires_no_more_and_its_jobs_stay(connection):
    put(connection)
    fire_due(connection, NOON + MINUTE)
    assert [remove_schedule(connection, "report") for _ in range(2)] == [True, False]
    assert fire_due(connection, NOON + timedelta(days=1)) == []
    assert slots_put_in(connection) == [NOON + MINUTE]
