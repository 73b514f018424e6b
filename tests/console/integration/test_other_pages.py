"""Background jobs, schedules, configurations, providers, and a database that is away."""

import pytest
import redis

from tests.console.serving import actions, served
from tests.jobs import insert_background_job
from worker.enqueueing import enqueue_background_job
from worker.scheduling import put_schedule


async def test_background_jobs_are_listed_and_have_a_page(open_console, connection, lanes):
    known = enqueue_background_job(connection, job_type="noop", payload={"userId": "zoe"}).job_id
    insert_background_job(connection, "noop")
    for given in ("", "?job_type=noop", "?user=zoe", "?status=pending", "?q=zoe"):
        page = (await open_console.get(f"/background{given}")).text
        assert f"/jobs/{known}" in page, given
        assert "1 new row waits for adoption" in page
    assert f"/jobs/{known}" not in (await open_console.get("/background?status=failed")).text
    assert "zoe" in (await open_console.get(f"/jobs/{known}")).text


async def test_a_schedule_is_made_switched_run_and_removed(alice, connection):
    await alice.submit(
        "/schedules", name="nightly", cron="30 2 * * *", job_type="noop", payload='{"a": 1}', enabled="true"
    )
    assert "nightly" in (await alice.get("/schedules")).text
    await alice.submit("/schedules/switch", name="nightly")
    assert connection.execute("SELECT enabled, payload FROM worker.schedules").fetchone() == (False, {"a": 1})
    answer = await alice.submit("/schedules/run", name="nightly")
    made = connection.execute(
        "SELECT payload ->> 'a' FROM background_jobs WHERE id = %s::uuid",
        (answer.headers["location"].rpartition("/")[2],),
    ).fetchone()
    assert made == ("1",)
    await alice.submit("/schedules/remove", name="nightly")
    assert connection.execute("SELECT count(*) FROM worker.schedules").fetchone() == (0,)
    assert sorted(action for action, _ in actions(connection)) == [
        "schedule_put",
        "schedule_remove",
        "schedule_run",
        "schedule_switch",
    ]


@pytest.mark.parametrize(
    ("field", "value"), [("cron", "every day"), ("payload", "[]"), ("payload", "{"), ("time_zone", "Mars")]
)
async def test_a_schedule_that_cannot_be_is_told_and_not_kept(alice, connection, field, value):
    fields = {"name": "x", "cron": "* * * * *", "job_type": "noop", "enabled": "true", field: value}
    answer = await alice.submit("/schedules", **fields)
    assert answer.status_code == 422
    assert connection.execute("SELECT count(*) FROM worker.schedules").fetchone() == (0,)
    assert actions(connection) == []


async def test_a_schedule_without_a_handler_is_shown_as_such(open_console, connection):
    put_schedule(connection, "odd", "* * * * *", job_type="nobody_does_this")
    assert "no handler" in (await open_console.get("/schedules")).text


async def test_a_configuration_is_set_and_a_wrong_value_is_refused(alice, connection):
    await alice.submit("/configuration", name="trial.days", value="9")
    assert connection.execute("SELECT value FROM system_configurations").fetchone() == ("9",)
    await alice.submit("/configuration", name="trial.days", value="soon")
    page = (await alice.get("/configuration")).text
    assert "trial.days is" in page
    assert "expected a whole number" in page
    assert connection.execute("SELECT value FROM system_configurations").fetchone() == ("9",)
    assert actions(connection) == [("configuration_set", "console: Alice")]


async def test_a_value_that_workers_cannot_read_is_shown_with_what_is_expected(open_console, connection):
    connection.execute(
        "INSERT INTO system_configurations (category, key, value, value_type)"
        " VALUES ('trial', 'days', 'a week', 'number')"
    )
    page = (await open_console.get("/configuration")).text
    assert "each worker keeps its last good value" in page


async def test_a_provider_that_was_mended_is_called_again(alice, connection, redis_url):
    with redis.Redis.from_url(redis_url) as client:
        client.hset("trawler:limits:breaker:{scrapecreators:abc}", mapping={"probe_at": 4e9, "since": 1.7e9})
        await alice.submit("/providers/scrapecreators/resume", "/schedules")
        assert client.keys("trawler:limits:breaker:*") == []
    assert actions(connection) == [("resume_provider", "console: Alice")]


async def test_learned_rates_and_caps_are_shown(database_url, redis_url):
    with redis.Redis.from_url(redis_url) as client:
        client.hset("trawler:limits:rate:{scrapecreators:abc:search}", mapping={"rate": 4.2, "hold": 0})
        client.zadd("trawler:limits:rate:{scrapecreators:abc:search}:processes", {"x": 1})
    async with served(database_url, redis_url) as browser:
        page = (await browser.get("/providers")).text
    assert "4.2 calls a second, learned" in page


async def test_a_database_that_is_away_is_said_so(redis_url, database_url, connection):
    async with served(database_url, redis_url) as browser:
        connection.execute("ALTER TABLE worker.lanes RENAME TO lanes_gone")
        answer = await browser.get("/")
        assert answer.status_code == 500
        assert "The database refused" in answer.text
