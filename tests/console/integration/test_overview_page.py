"""The first page: what runs, what is missing, what holds a lane back."""

import re

import redis

from tests.console.serving import actions, served
from worker.enqueueing import enqueue_scraping_job


async def test_the_first_page_tells_of_lanes_and_of_what_is_missing(open_console, connection, lanes):
    enqueue_scraping_job(connection, user_id="u", platform="TikTok", keywords=["lamp"])
    connection.execute("UPDATE worker.tasks SET run_at = clock_timestamp() - interval '2 hours'")
    page = (await open_console.get("/")).text
    assert "scrape.tiktok" in page
    assert "No reconciler is alive." in page
    assert "No worker is alive." in page
    assert ">2 h<" in page.replace("<small>", "<")


async def test_the_first_page_tells_that_redis_is_away_and_works_on(database_url):
    async with served(database_url, "redis://127.0.0.1:9/0") as browser:
        page = await browser.get("/")
    assert page.status_code == 200
    assert "Redis is away." in page.text


async def test_the_first_page_tells_of_a_provider_that_is_paused(open_console, redis_url):
    with redis.Redis.from_url(redis_url) as client:
        fields = {"probe_at": 4e9, "since": 1.7e9, "reason": "no_credits", "detail": "the balance is empty"}
        client.hset("trawler:limits:breaker:{scrapecreators:abc}", mapping=fields)
    for path in ("/", "/providers"):
        page = (await open_console.get(path)).text
        assert "the balance is empty" in page


async def test_the_first_page_tells_of_parked_tasks_and_of_a_shape_that_drifted(open_console, connection, lanes):
    enqueue_scraping_job(connection, user_id="u", platform="TikTok", keywords=["lamp"])
    connection.execute("UPDATE worker.tasks SET state = 'parked', closed_at = now()")
    connection.execute(
        "INSERT INTO worker.shapes (provider, endpoint, adapter_version, drift, drifted_at)"
        " VALUES ('scrapecreators', 'tiktok/search', 1, '{}', now())"
    )
    page = (await open_console.get("/")).text
    assert "1 task is parked." in page
    assert "scrapecreators tiktok/search" in page


async def test_a_lane_is_paused_with_a_reason_and_resumed(alice, connection):
    await alice.submit("/lanes/scrape.tiktok/pause", reason="the balance")
    assert connection.execute(
        "SELECT paused, pause_reason FROM worker.lanes WHERE lane = 'scrape.tiktok'"
    ).fetchone() == (
        True,
        "the balance",
    )
    page = (await alice.get("/")).text
    assert "scrape.tiktok is paused" in page
    assert "the balance" in page
    await alice.submit("/lanes/scrape.tiktok/resume")
    assert connection.execute("SELECT paused FROM worker.lanes WHERE lane = 'scrape.tiktok'").fetchone() == (False,)
    assert actions(connection) == [("pause", "console: Alice"), ("resume", "console: Alice")]


async def test_a_lane_that_cools_down_tells_why_and_until_when(open_console, connection, lanes):
    connection.execute(
        "UPDATE worker.lanes SET cooldown_until = now() + interval '10 minutes', cooldown_reason = 'the provider rests'"
    )
    page = (await open_console.get("/")).text
    assert "cools down" in page
    assert "the provider rests" in page
    assert re.search(r"ends <time [^>]+>in (9|10) min", page)
    connection.execute("UPDATE worker.lanes SET cooldown_until = 'infinity'")
    assert "until it is ended by hand" in (await open_console.get("/")).text


async def test_a_lane_that_there_is_not_is_said_so(alice, connection):
    answer = await alice.submit("/lanes/scrape.myspace/pause")
    assert answer.status_code == 404
    assert actions(connection) == []
