"""Configurations as a process sees them: fresh within 30 s, the last good value, told once."""

from datetime import timedelta

import psycopg
import pytest

from tests.integration.engine.steps import LANE, adopt, make_lanes
from tests.integration.handlers.followed import raised
from tests.jobs import insert_job, job
from worker.configuration import FRESH_SECONDS, Configuration
from worker.configuration_keys import STANDARD_JOB_TIMEOUT, TRIAL_DAYS


class Clock:
    """Seconds that a test moves."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def configuration(pool, clock) -> Configuration:
    return Configuration(pool, clock)


def put(connection: psycopg.Connection, value: str, hot: str = "true", name: str = "trial.days") -> None:
    category, _, key = name.partition(".")
    connection.execute(
        "INSERT INTO system_configurations (category, key, value, value_type, is_hot_reloadable)"
        " VALUES (%s, %s, %s, 'number', %s)"
        " ON CONFLICT (category, key) DO UPDATE"
        " SET value = excluded.value, is_hot_reloadable = excluded.is_hot_reloadable",
        (category, key, value, hot),
    )


async def test_without_a_row_the_default_counts(configuration):
    assert await configuration.value(TRIAL_DAYS) == 7
    assert await configuration.value(STANDARD_JOB_TIMEOUT, timedelta(minutes=5)) == timedelta(minutes=5)


async def test_a_change_is_seen_after_30_seconds(configuration, connection, clock):
    put(connection, "10")
    assert await configuration.value(TRIAL_DAYS) == 10
    put(connection, "11")
    clock.now = FRESH_SECONDS - 0.001
    assert await configuration.value(TRIAL_DAYS) == 10
    clock.now = FRESH_SECONDS
    assert await configuration.value(TRIAL_DAYS) == 11
    # And a row that is gone is the default again
    connection.execute("DELETE FROM system_configurations")
    clock.now = 2 * FRESH_SECONDS
    assert await configuration.value(TRIAL_DAYS) == 7


async def test_a_row_that_is_not_hot_counts_as_it_was_at_the_first_look(configuration, connection, clock):
    put(connection, "10", hot="false")
    assert await configuration.value(TRIAL_DAYS) == 10
    put(connection, "11", hot="false")
    clock.now = FRESH_SECONDS
    assert await configuration.value(TRIAL_DAYS) == 10
    # Even when it is gone
    connection.execute("DELETE FROM system_configurations")
    clock.now = 2 * FRESH_SECONDS
    assert await configuration.value(TRIAL_DAYS) == 10
    # And one that becomes hot is followed
    put(connection, "12")
    clock.now = 3 * FRESH_SECONDS
    assert await configuration.value(TRIAL_DAYS) == 12


async def test_a_row_that_comes_later_and_is_not_hot_waits_for_a_restart(configuration, connection, clock, pool):
    assert await configuration.value(TRIAL_DAYS) == 7
    put(connection, "10", hot="false")
    clock.now = FRESH_SECONDS
    assert await configuration.value(TRIAL_DAYS) == 7
    assert await Configuration(pool, clock).value(TRIAL_DAYS) == 10


async def test_a_bad_value_keeps_the_last_good_one_and_is_told_once_in_the_whole_fleet(
    configuration, connection, clock, pool
):
    put(connection, "10")
    assert await configuration.value(TRIAL_DAYS) == 10
    # When somebody writes what is no number
    put(connection, "ten")
    for look in (1, 2):
        clock.now = look * FRESH_SECONDS
        assert await configuration.value(TRIAL_DAYS) == 10
    # And another process meets it first of all
    assert await Configuration(pool, clock).value(TRIAL_DAYS) == 7
    # Then it is told once, with what to do
    (event,) = raised(connection, "configuration_invalid")
    assert (event["aggregate_type"], event["aggregate_id"]) == ("configuration", "trial.days")
    assert "trial.days is 'ten'; expected a whole number" in event["event_data"]["problem"]
    # And another bad value is told anew, and a good one counts
    put(connection, "0")
    clock.now = 3 * FRESH_SECONDS
    assert await configuration.value(TRIAL_DAYS) == 10
    assert len(raised(connection, "configuration_invalid")) == 2
    put(connection, "3 ")
    clock.now = 4 * FRESH_SECONDS
    assert await configuration.value(TRIAL_DAYS) == 3


async def test_a_table_that_is_away_leaves_the_values_as_they_were(configuration, connection, clock):
    put(connection, "10")
    assert await configuration.value(TRIAL_DAYS) == 10
    connection.execute("ALTER TABLE system_configurations RENAME TO elsewhere")
    clock.now = FRESH_SECONDS
    assert await configuration.value(TRIAL_DAYS) == 10
    connection.execute("ALTER TABLE elsewhere RENAME TO system_configurations")
    put(connection, "11")
    clock.now = 2 * FRESH_SECONDS
    assert await configuration.value(TRIAL_DAYS) == 11


async def test_a_job_without_a_deadline_gets_the_configured_one(engine, connection):
    put(connection, "90m", name="timeouts.standard_job_timeout")
    make_lanes(connection)
    job_id = insert_job(connection)
    adopt(connection)
    await engine.runtime.claim(LANE)
    row = job(connection, job_id)
    assert row["timeout_at"] - row["started_at"] == pytest.approx(timedelta(minutes=90), abs=timedelta(seconds=5))
