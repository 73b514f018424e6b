"""Looking at jobs: one of any table, why it waits, and lists whose pages neither lose nor double a row."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from console.api.cursors import cursor_of
from db.queries.api_lists import jobs_page
from db.queries.api_places import After
from db.session import connect_async
from tests.integration.engine.steps import adopt
from tests.jobs import insert_background_job, insert_job, task
from tests.searches import ask, insert_campaign, insert_search

NOBODY = "5f0c7c1e-0000-4000-8000-000000000000"


def test_a_scraping_job_is_shown_with_its_progress_its_task_why_it_waits_and_its_cost(client, rows):
    # Given a job that waits in a paused lane and has cost something
    rows.execute("UPDATE worker.lanes SET paused = true, pause_reason = 'balance' WHERE lane = 'scrape.tiktok'")
    job_id = insert_job(
        rows, keywords=["קרמיקה"], search_params={"min_likes": 3}, processed_results=20, progress="20.5"
    )
    adopt(rows)
    rows.execute(
        "INSERT INTO worker.spend (job_table, job_id, tenant, provider, account, endpoint, calls, credits)"
        " VALUES ('scraping_jobs', %s, 'user_1', 'scrapecreators', 'a', 'e', 3, 5)",
        (job_id,),
    )
    try:
        answer = client.get(f"/api/v1/jobs/{job_id}")
    finally:
        rows.execute("UPDATE worker.lanes SET paused = false, pause_reason = NULL")
    # Then all of it is told
    told = answer.json()
    assert answer.status_code == 200, answer.text
    assert (told["job_id"], told["table"], told["status"]) == (job_id, "scraping_jobs", "pending")
    assert (told["progress"], told["results"], told["target"]) == (20.5, 20, 100)
    assert (told["keywords"], told["search_params"]) == (["קרמיקה"], {"min_likes": 3})
    assert told["created_at"].endswith("Z")
    assert (told["task"]["state"], told["task"]["lane"]) == ("ready", "scrape.tiktok")
    assert told["why"]["code"] == "lane_paused"
    assert told["cost"] == [{"provider": "scrapecreators", "calls": 3, "credits": 5}]
    assert "why" not in client.get(f"/api/v1/jobs/{job_id}?why=false").json()


def test_a_job_that_nobody_adopted_yet_has_no_task_and_says_so(client, rows):
    job_id = insert_job(rows)
    told = client.get(f"/api/v1/jobs/{job_id}").json()
    assert told["task"] is None
    assert told["why"]["code"] == "no_reconciler"


def test_a_background_job_is_shown_with_its_payload_and_result(client, rows):
    job_id = insert_background_job(rows, "noop", {"a": [1]}, status="completed", result=json.dumps({"b": 2}))
    told = client.get(f"/api/v1/jobs/{job_id}").json()
    assert (told["table"], told["payload"], told["result"], told["job_type"]) == (
        *("background_jobs", {"a": [1]}, {"b": 2}, "noop"),
    )
    assert "platform" not in told


def test_a_search_is_shown_by_the_uuid_of_the_engine(client, rows):
    ask(rows, "lamps-1", keywords=["lamp"], user_id="user_9")
    key = insert_search(rows, "lamps-1", campaign_id=insert_campaign(rows), completed_count=25)
    told = client.get(f"/api/v1/jobs/{key}").json()
    assert (told["table"], told["search_id"], told["status"]) == ("search_jobs", "lamps-1", "queued")
    assert (told["user_id"], told["keywords"], told["progress"], told["results"]) == ("user_9", ["lamp"], 25.0, 25)
    listed = client.get("/api/v1/search-jobs?search_id=lamps-1").json()
    assert [one["job_id"] for one in listed["jobs"]] == [key]


def test_a_row_that_the_application_filled_oddly_is_shown_all_the_same(client, rows):
    odd = insert_job(rows, keywords={"not": "a list"}, status="dispatching", progress="250")
    rows.execute("UPDATE scraping_jobs SET timeout_at = 'infinity', search_params = '[1e400]' WHERE id = %s", (odd,))
    answer = client.get(f"/api/v1/jobs/{odd}")
    assert answer.status_code == 200
    assert '"search_params":[1' + "0" * 400 + "]" in answer.text
    told = json.loads(answer.text.replace("0" * 400, ""))
    assert (told["keywords"], told["status"], told["progress"], told["timeout_at"]) == (
        *({"not": "a list"}, "dispatching", 100.0, None),
    )
    assert told["why"]["code"] == "foreign_status"


def test_what_happened_to_a_job_is_told_in_order(client, rows):
    job_id = insert_job(rows)
    adopt(rows)
    rows.execute(
        "INSERT INTO worker.attempts (task_id, epoch, owner, outcome, reason, detail, evidence)"
        " VALUES (%s, 1, 'w', 'wait', 'rate_limited', 'told to', '{\"rss\": 1}')",
        (task(rows, job_id)["id"],),
    )
    told = client.get(f"/api/v1/jobs/{job_id}/explanation").json()
    assert (told["job_id"], told["table"]) == (job_id, "scraping_jobs")
    assert told["sentence"]
    assert [one["kind"] for one in told["history"]] == ["attempt", "wait"]
    assert told["facts"]["status"] == "pending"


@pytest.mark.parametrize("path", ["", "/explanation", "/results", "/results.ndjson", "/events"])
def test_an_id_that_names_nothing_is_told(client, path):
    answer = client.get(f"/api/v1/jobs/{NOBODY}{path}")
    assert (answer.status_code, answer.json()["type"]) == (404, "urn:trawler:problem:unknown_job")


def walk(client, path, **query):
    """Every page of a list, until there is none."""
    pages, cursor = [], None
    while True:
        answer = client.get(path, params={**query, **({"cursor": cursor} if cursor else {})})
        assert answer.status_code == 200, answer.text
        pages.append([one["job_id"] for one in answer.json()["jobs"]])
        if (cursor := answer.json()["next_cursor"]) is None:
            return pages


def test_pages_of_a_list_go_on_where_the_one_before_ended(client, rows):
    # Given rows of every status, some of one moment, and one of a word of the application's own
    user = "user_of_pages"
    base = datetime(2031, 1, 1)  # noqa: DTZ001 - as the column is
    statuses = ["pending", "processing", "completed", "error", "timeout", "cancelled"]
    ids = [
        insert_job(rows, user_id=user, status=statuses[n % 6], created_at=base + timedelta(seconds=n // 4))
        for n in range(30)
    ]
    newest_first = [
        job_id
        for (job_id,) in rows.execute(
            "SELECT id::text FROM scraping_jobs WHERE user_id = %s ORDER BY created_at DESC, id DESC", (user,)
        )
    ]
    # When the list is walked, and meanwhile a newer one comes
    first = client.get("/api/v1/scraping-jobs", params={"user_id": user, "limit": 7}).json()
    insert_job(rows, user_id=user, created_at=base + timedelta(days=1))
    rest = walk(client, "/api/v1/scraping-jobs", user_id=user, limit=7, cursor=first["next_cursor"])
    # Then each is there once, in order
    seen = [one["job_id"] for one in first["jobs"]] + [one for page in rest for one in page]
    assert seen == newest_first
    assert set(seen) == set(ids)
    assert [len(page) for page in walk(client, "/api/v1/scraping-jobs", user_id=user, limit=31)] == [31]
    assert [len(page) for page in walk(client, "/api/v1/scraping-jobs", user_id=user, status="error", limit=2)] == [
        2,
        2,
        1,
    ]


def test_every_filter_of_scraping_jobs_means_what_it_says(client, rows):
    user, campaign, base = "user_of_filters", insert_campaign(rows), datetime(2032, 1, 1)  # noqa: DTZ001 - as the column is
    one = insert_job(rows, user_id=user, platform="YOUTUBE", campaign_id=campaign, created_at=base)
    two = insert_job(rows, user_id=user, status="error", error="x" * 5000, created_at=base + timedelta(hours=1))

    def ids(**query):
        return [job["job_id"] for job in client.get("/api/v1/scraping-jobs", params=query).json()["jobs"]]

    assert ids(user_id=user) == [two, one]
    assert ids(user_id=user, platform="YouTube") == [one]
    assert ids(campaign_id=campaign) == [one]
    assert ids(user_id=user, status="error") == [two]
    assert ids(user_id=user, created_after="2032-01-01T02:00:00+01:00") == [two]
    assert ids(user_id=user, created_before="2032-01-01T01:00:00Z") == [one]
    assert ids(user_id="user'; DROP TABLE scraping_jobs; --") == []
    told = client.get("/api/v1/scraping-jobs", params={"user_id": user, "status": "error"}).json()["jobs"][0]
    assert len(told["error"]) == 4000


def test_background_jobs_are_listed_by_type_and_user(client, rows):
    mine = [insert_background_job(rows, "expire_trial", {"userId": "user_of_jobs"}) for _ in range(5)]
    insert_background_job(rows, "expire_trial", {"userId": "another"})
    insert_background_job(rows, "noop", {"userId": "user_of_jobs"})
    pages = walk(client, "/api/v1/background-jobs", job_type="expire_trial", user_id="user_of_jobs", limit=2)
    assert [len(page) for page in pages] == [2, 2, 1]
    assert {one for page in pages for one in page} == set(mine)


def test_searches_are_listed_a_page_at_a_time_and_none_where_there_is_no_table(client, rows):
    keys = {insert_search(rows, f"walk-{n}", platform="YouTube") for n in range(5)}
    pages = walk(client, "/api/v1/search-jobs", platform="youtube", limit=2)
    assert {one for page in pages for one in page} == keys
    rows.execute("ALTER TABLE search_jobs RENAME TO search_jobs_away")
    try:
        assert client.get("/api/v1/search-jobs").json() == {"jobs": [], "next_cursor": None}
        assert client.get(f"/api/v1/jobs/{keys.pop()}").status_code == 404
        assert client.get(f"/api/v1/jobs/{insert_job(rows)}").status_code == 200
    finally:
        rows.execute("ALTER TABLE search_jobs_away RENAME TO search_jobs")


@pytest.mark.parametrize(
    "cursor",
    ["", "x", "e30", "W10", "WyIyMDMxIl0", "Ww==", "é", "WyIyMDMxLTAxLTAxIiwiJzsiXQ", "A" * 301, "..%2f"],
)
def test_a_cursor_that_is_none_of_ours_is_refused(client, cursor):
    for path in ("/api/v1/scraping-jobs", f"/api/v1/jobs/{NOBODY}/results"):
        answer = client.get(path, params={"cursor": cursor})
        assert answer.status_code == 422, answer.text
        assert answer.json()["errors"][0]["parameter"] == "cursor"


def test_a_cursor_of_a_time_with_a_zone_is_kept(client):
    cursor = cursor_of(After(datetime(2031, 1, 1, tzinfo=UTC), NOBODY))
    assert client.get("/api/v1/scraping-jobs", params={"cursor": cursor}).status_code == 200


@pytest.mark.slow
async def test_the_first_page_and_a_later_one_of_many_jobs_read_few_pages_of_the_table(
    client, rows, module_database_url
):
    # Given 100,000 scraping jobs, statistics, and one status that few have
    rows.execute(
        """
        INSERT INTO scraping_jobs (user_id, platform, status, created_at)
        SELECT 'user_' || n % 500, 'TikTok', CASE WHEN n % 10000 = 0 THEN 'error' ELSE 'completed' END,
               '2020-01-01'::timestamp + n * interval '1 minute'
          FROM generate_series(1, 100000) AS n
        """
    )
    rows.execute("VACUUM ANALYZE scraping_jobs")
    page = client.get("/api/v1/scraping-jobs", params={"limit": 50, "created_before": "2021-01-01T00:00:00Z"}).json()

    async def buffers(filters, after):
        connection = await connect_async(module_database_url, "test")
        async with connection:
            before = await read(connection)
            assert await jobs_page(connection, "scraping_jobs", filters, after, 51)
            return await read(connection) - before

    async def read(connection):
        await connection.execute("SELECT pg_stat_force_next_flush()")
        row = await (
            await connection.execute(
                "SELECT heap_blks_hit + heap_blks_read FROM pg_statio_user_tables WHERE relname = 'scraping_jobs'"
            )
        ).fetchone()
        return row[0]

    last = page["jobs"][-1]
    later = After(datetime.fromisoformat(last["created_at"]).replace(tzinfo=None), last["job_id"])
    # Then a page reads about as many blocks as it has rows, wherever it is; the table has more than 1,500
    assert await buffers({}, None) < 400
    assert await buffers({}, later) < 400
    assert await buffers({"status": "completed"}, later) < 200
    assert await buffers({"status": "error"}, None) < 200
