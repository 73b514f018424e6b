"""Lists of jobs and searches: pages, filters, many at once."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from db.queries.lanes import NewLane, ensure_lanes
from tests.console.serving import actions
from tests.jobs import insert_job, job


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
