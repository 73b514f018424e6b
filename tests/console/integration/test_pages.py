"""What the pages show and change, on a real database and Redis."""

import asyncio
import json
import re
from datetime import UTC, datetime, timedelta

import pytest
import redis

from db.queries.lanes import NewLane, ensure_lanes
from tests.console.serving import PASSWORD, served
from tests.jobs import background_job, insert_background_job, insert_job, job
from worker.enqueueing import enqueue_background_job, enqueue_scraping_job
from worker.scheduling import put_schedule


@pytest.fixture
def lanes(connection):
    ensure_lanes(
        connection, [NewLane("scrape.tiktok", 8, 2), NewLane("job.noop", 8, 2), NewLane("job.export_creators", 8, 2)]
    )


def actions(connection) -> list[tuple[str, str]]:
    """What operators did, and who."""
    return connection.execute(
        "SELECT event_data ->> 'action', event_data ->> 'actor' FROM events WHERE event_type = 'admin_action'"
        " ORDER BY timestamp, event_data ->> 'action'"
    ).fetchall()


@pytest.fixture
async def alice(database_url, redis_url, lanes):
    async with served(database_url, redis_url, password=PASSWORD) as browser:
        await browser.log_in()
        yield browser


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


async def test_pages_of_a_list_show_every_job_once_newest_first(open_console, connection):
    start = datetime(2026, 1, 1, tzinfo=UTC)
    statuses = ("pending", "processing", "completed", "error", "timeout", "their own word")
    ids = [
        # Some share a moment, across the border of pages too.
        insert_job(connection, status=statuses[n % 6], created_at=(start + timedelta(minutes=n // 7)).isoformat())
        for n in range(90)
    ]
    seen: list[str] = []
    path = "/jobs"
    for _ in range(10):
        page = (await open_console.get(path)).text
        found = [one for one in ids if f'href="/jobs/{one}"' in page]
        seen += sorted(found, key=lambda one: page.index(f'href="/jobs/{one}"'))
        if 'rel="next"' not in page:
            break
        path = "/jobs" + page.split('rel="next" href="')[1].split('"')[0].replace("&amp;", "&")
    assert len(seen) == 90
    assert set(seen) == set(ids)
    moments = [ids.index(one) // 7 for one in seen]
    assert moments == sorted(moments, reverse=True)


async def test_a_filtered_list_looks_at_so_many_rows_and_goes_on_from_there(open_console, connection, monkeypatch):
    monkeypatch.setattr("db.queries.console.finding.LOOK", 10)
    wanted = [
        insert_job(
            connection,
            # Of one status there are few, so that a look at as many of each goes further back there.
            status="error" if n % 5 == 3 else "completed",
            keywords=["needle" if n % 25 == 3 else "hay"],
            created_at=f"2026-01-01 00:{n:02}:00",
        )
        for n in range(60)
    ]
    needles = {wanted[n] for n in range(60) if n % 25 == 3}
    seen: list[str] = []
    path, pages = "/jobs?q=needle", 0
    while path:
        page = (await open_console.get(path)).text
        seen += [one for one in wanted if f'href="/jobs/{one}"' in page]
        pages += 1
        more = 'rel="next"' in page
        path = "/jobs" + page.split('rel="next" href="')[1].split('"')[0].replace("&amp;", "&") if more else ""
    assert pages > 2
    assert sorted(seen) == sorted(needles)


async def test_a_list_is_filtered_by_status_platform_user_and_campaign(open_console, connection):
    (campaign,) = connection.execute(
        "INSERT INTO campaigns (user_id, name, search_type) VALUES ('u', 'c', 'keyword') RETURNING id::text"
    ).fetchone()
    one = insert_job(connection, status="error", platform="youtube", user_id="zoe", campaign_id=campaign)
    other = insert_job(connection)
    for given in ("status=error", "platform=YouTube", "user=zoe", f"campaign={campaign}", "q=zoe", "q=ZOE"):
        page = (await open_console.get(f"/jobs?{given}")).text
        assert (f"/jobs/{one}" in page, f"/jobs/{other}" in page) == (True, False), given


async def test_a_percent_sign_in_a_search_is_no_pattern(open_console, connection):
    one = insert_job(connection, keywords=["100% wool"])
    other = insert_job(connection, keywords=["100 wool"])
    page = (await open_console.get("/jobs", params={"q": "0% w"})).text
    assert (one in page, other in page) == (True, False)


async def test_an_id_leads_to_its_job(open_console, connection):
    job_id = insert_job(connection)
    answer = await open_console.get("/jobs", params={"q": f" {job_id.upper()} "})
    assert answer.headers["location"] == f"/jobs/{job_id}"
    assert (await open_console.get(f"/jobs/{job_id}")).status_code == 200


async def test_searches_are_listed_and_have_a_page(open_console, connection, lanes):
    ensure_lanes(connection, [NewLane("search.tiktok", 8, 2)])
    connection.execute(
        "INSERT INTO search_jobs (id, platform, search_type, total_count) VALUES ('s-1', 'TikTok', 'keyword', 9)"
    )
    assert "1 new row waits for adoption" in (await open_console.get("/jobs?table=search_jobs")).text
    (key,) = connection.execute(
        "INSERT INTO worker.tasks (job_table, job_id, lane, tenant, state)"
        " SELECT 'search_jobs', key::text, 'search.tiktok', 'u', 'ready' FROM worker.searches RETURNING job_id"
    ).fetchone()
    assert f"/jobs/{key}" in (await open_console.get("/jobs?table=search_jobs")).text
    page = await open_console.get(f"/jobs/{key}")
    assert page.status_code == 200
    assert "s-1" in page.text
    assert (await open_console.get("/jobs", params={"q": "search:s-1"})).headers["location"] == f"/jobs/{key}"


async def test_a_database_without_searches_has_none(open_console, connection):
    connection.execute("DROP TABLE search_results, search_jobs")
    page = await open_console.get("/jobs?table=search_jobs")
    assert page.status_code == 200
    assert "no table search_jobs" in page.text


async def test_failed_jobs_are_retried_after_a_preview(alice, connection):
    failed = [insert_job(connection, status="error", error="no key", user_id="u") for _ in range(3)]
    fine = insert_job(connection, status="completed")
    preview = (await alice.get("/jobs/bulk", params={"action": "retry", "status": "error"})).text
    assert "3 would be retried" in preview
    assert {job(connection, one)["status"] for one in failed} == {"error"}
    answer = await alice.submit("/jobs/bulk", action="retry", status="error", table="scraping_jobs")
    assert answer.status_code == 303
    assert "3 jobs retried." in (await alice.get("/jobs")).text
    assert {job(connection, one)["status"] for one in failed} == {"pending"}
    assert job(connection, fine)["status"] == "completed"
    assert actions(connection) == [("retry", "console: Alice")]


async def test_ticked_jobs_are_cancelled_and_what_is_left_alone_is_said(alice, connection):
    waiting, ended = insert_job(connection), insert_job(connection, status="completed")
    await alice.submit("/jobs/bulk", action="cancel", id=[waiting, ended], reason="wrong words")
    page = (await alice.get("/jobs")).text
    assert "1 job cancelled." in page
    assert "it is completed" in page
    assert job(connection, waiting)["error"] == "cancelled: wrong words"
    assert actions(connection) == [("cancel", "console: Alice")]


async def test_nothing_chosen_is_not_everything(alice, connection):
    job_id = insert_job(connection)
    answer = await alice.submit("/jobs/bulk", action="cancel")
    assert answer.status_code == 422
    assert job(connection, job_id)["status"] == "pending"


@pytest.mark.parametrize(
    "query",
    [
        "since=yesterday",
        "id=abc",
        "limit=0",
        "limit=x",
        "campaign=c",
        "table=users",
        "since=2026-02-01&until=2026-01-01",
    ],
)
async def test_a_filter_that_cannot_be_read_is_told(open_console, query):
    answer = await open_console.get(f"/jobs/bulk?action=retry&{query}")
    assert answer.status_code == 422
    assert "expected" in answer.text or "invalid" in answer.text.lower()


async def test_the_page_of_a_job_tells_why_it_waits_what_happened_and_what_it_cost(open_console, connection, lanes):
    job_id = enqueue_scraping_job(connection, user_id="u", platform="TikTok", keywords=["lamp"]).job_id
    connection.execute("UPDATE worker.lanes SET paused = true, pause_reason = 'costs' WHERE lane = 'scrape.tiktok'")
    (task_id,) = connection.execute("SELECT id FROM worker.tasks").fetchone()
    connection.execute(
        "INSERT INTO worker.pages (task_id, seq, epoch, word, cursor, items, stored, duplicates, unreadable,"
        " credits, provider) VALUES (%s, 1, 1, 'lamp', '0', 12, 9, 2, 1, 3, 'scrapecreators')",
        (task_id,),
    )
    connection.execute(
        "INSERT INTO worker.attempts (task_id, epoch, owner, outcome, reason, detail, evidence)"
        " VALUES (%s, 1, 'w1', 'crashed', 'lease_expired', NULL, '{\"rss_mb\": 900}')",
        (task_id,),
    )
    connection.execute(
        "INSERT INTO worker.spend (job_table, job_id, tenant, provider, account, endpoint, calls, credits)"
        " VALUES ('scraping_jobs', %s, 'u', 'scrapecreators', 'a', 'e', 4, 77)",
        (job_id,),
    )
    connection.execute(
        "INSERT INTO worker.quarantine (task_id, seq, provider, endpoint, adapter_version, reason, message, raw)"
        " VALUES (%s, 1, 'scrapecreators', 'e', 1, 'wrong_item_shape', 'no author', '{}')",
        (task_id,),
    )
    page = (await open_console.get(f"/jobs/{job_id}")).text
    for told in (
        "is paused: costs",
        "9 stored of 12",
        "1 unreadable",
        "crashed",
        "rss mb 900",
        "77",
        "wrong item shape",
    ):
        assert told in page, told


async def test_a_job_that_there_is_not_is_said_so(open_console):
    answer = await open_console.get("/jobs/11111111-1111-4111-8111-111111111111")
    assert answer.status_code == 404
    assert (await open_console.get("/jobs/not-an-id")).status_code == 422


async def test_creators_are_paged_without_loss(open_console, connection):
    job_id = insert_job(connection, status="completed")
    for batch in range(9):
        creators = [{"creator": {"name": f"name-{batch}-{n}.", "uniqueId": f"u{batch}_{n}"}} for n in range(11)]
        connection.execute(
            "INSERT INTO scraping_results (job_id, creators, created_at) VALUES (%s::uuid, %s, %s)",
            (job_id, json.dumps(creators), f"2026-01-01 00:00:0{batch // 2}"),
        )
    seen: list[str] = []
    path = f"/jobs/{job_id}/creators"
    while path:
        page = (await open_console.get(path)).text
        seen += [
            f"{b}-{n}" for b in range(9) for n in range(11) if f"name-{b}-{n}." in page.partition("<details>")[0] + page
        ]
        path = page.split('hx-get="')[1].split('"')[0].replace("&amp;", "&") if 'hx-get="' in page else ""
    assert len(seen) == 99
    assert len(set(seen)) == 99


async def test_an_export_is_a_background_job(alice, connection):
    job_id = insert_job(connection, status="completed")
    answer = await alice.submit(f"/jobs/{job_id}/export", format="jsonl")
    made = background_job(connection, answer.headers["location"].rpartition("/")[2])
    assert made["job_type"] == "export_creators"
    assert actions(connection) == [("export", "console: Alice")]


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


async def test_the_stream_of_a_list_sends_what_changes(open_console, connection, monkeypatch):
    job_id = insert_job(connection, status="processing")
    monkeypatch.setattr("console.streaming.LONGEST_SECONDS", 6)

    async def change() -> None:
        await asyncio.sleep(1.5)
        connection.execute("UPDATE scraping_jobs SET processed_results = 57 WHERE id = %s::uuid", (job_id,))

    changing = asyncio.create_task(change())
    answer = await open_console.get(f"/streams/jobs?job={job_id}")
    await changing
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.text.count(f"event: state-{job_id}") == 1
    assert answer.text.count(f"event: progress-{job_id}") == 2
    assert "57 of 100" in answer.text


async def test_the_time_left_is_told_by_the_newest_pages(open_console, connection, lanes):
    job_id = enqueue_scraping_job(
        connection, user_id="u", platform="TikTok", keywords=["lamp"], target_results=200
    ).job_id
    connection.execute("UPDATE scraping_jobs SET status = 'processing', processed_results = 100")
    (task_id,) = connection.execute(
        "UPDATE worker.tasks SET state = 'leased', token = gen_random_uuid(), owner = 'w',"
        " claimed_at = now(), expires_at = now() + interval '1 minute' RETURNING id"
    ).fetchone()
    # Slow at first, then ten creators a minute: the newest pages count.
    for seq in range(1, 9):
        connection.execute(
            "INSERT INTO worker.pages (task_id, seq, epoch, word, cursor, items, stored, duplicates, unreadable,"
            " credits, written_at) VALUES (%s, %s, 1, 'lamp', '', 10, %s, 0, 0, 1, now() - %s * interval '1 minute')",
            (task_id, seq, 10, 8 - seq if seq > 2 else 500 - seq),
        )
    page = (await open_console.get("/jobs")).text
    assert "100 of 200 · 10 min left" in page
    assert "10 min left" in (await open_console.get(f"/jobs/{job_id}")).text


async def test_a_creator_s_picture_is_loaded_only_where_a_setting_allows_its_host(database_url, redis_url, connection):
    job_id = insert_job(connection, status="completed")
    creator = {"creator": {"name": "Ann Bee", "uniqueId": "a", "avatarUrl": "https://p1.cdn.example/a.jpg"}}
    connection.execute(
        "INSERT INTO scraping_results (job_id, creators) VALUES (%s::uuid, %s)", (job_id, json.dumps([creator]))
    )
    for hosts, shown in (("", False), ("https://*.cdn.example", True)):
        async with served(database_url, redis_url, picture_hosts=hosts) as browser:
            answer = await browser.get(f"/jobs/{job_id}/creators")
        assert ('src="https://p1.cdn.example/a.jpg"' in answer.text) is shown
        assert ("https://*.cdn.example" in answer.headers["content-security-policy"]) is shown
        assert (">AB<" in answer.text) is not shown
