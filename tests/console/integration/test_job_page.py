"""The page of one job: why it waits, what happened, whom it found."""

import json

from tests.console.serving import actions, served
from tests.jobs import background_job, insert_job
from worker.enqueueing import enqueue_scraping_job


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
