"""``cleanup_jobs``: forgotten rows end, old ones go with their results, and nothing that is at work is touched."""

import json
from datetime import timedelta
from typing import Any

import psycopg
import pytest

from db.queries import cleaning
from db.queries.lanes import NewLane, ensure_lanes
from tests.integration.engine.steps import make_lanes
from tests.integration.handlers.conftest import Engine
from tests.jobs import insert_background_job, insert_job, job
from tests.searches import insert_search, search
from worker.lanes import UNROUTABLE_JOB


@pytest.fixture(autouse=True)
def _lanes(connection):
    make_lanes(connection)
    ensure_lanes(connection, [NewLane(UNROUTABLE_JOB, 1, 1)])


def aged(connection: psycopg.Connection, days: float, status: str, /, batches: int = 2, **columns: Any) -> str:
    """A scraping job that came and ended so many days ago, with some batches; its task is closed or missing."""
    job_id = insert_job(connection, status=status, **columns)
    connection.execute(
        "UPDATE scraping_jobs SET created_at = t, updated_at = t, completed_at = CASE WHEN %s THEN t END"
        "  FROM (SELECT worker.utc_now() - make_interval(secs => %s) AS t) old WHERE id = %s::uuid",
        (status in ("completed", "error", "timeout"), days * 86_400, job_id),
    )
    for number in range(batches):
        creators = [{"creator": {"id": f"{number}-{place}", "bio": "two\nlines, 日本"}} for place in "ab"]
        connection.execute(
            "INSERT INTO scraping_results (job_id, creators) VALUES (%s, %s)", (job_id, json.dumps(creators))
        )
    return job_id


def there(connection, *job_ids: str) -> list[bool]:
    found = {one for (one,) in connection.execute("SELECT id::text FROM scraping_jobs").fetchall()}
    return [job_id in found for job_id in job_ids]


def results(connection) -> int:
    return connection.execute("SELECT count(*) FROM scraping_results").fetchone()[0]


def with_task(connection, job_id: str, state: str) -> None:
    """Give a job a task in this state, as the engine left it when the row was last touched."""
    connection.execute("DELETE FROM worker.inbox")
    connection.execute(
        """
        INSERT INTO worker.tasks (job_table, job_id, lane, tenant, state, token, expires_at, closed_at, run_at,
                                  adopted_at)
        SELECT 'scraping_jobs', %(job)s, 'scrape.tiktok', 'user_1', %(state)s,
               CASE WHEN %(state)s = 'leased' THEN gen_random_uuid() END,
               CASE WHEN %(state)s = 'leased' THEN clock_timestamp() + interval '1 minute' END,
               CASE WHEN %(state)s = 'closed' THEN clock_timestamp() END,
               clock_timestamp() - interval '40 days', clock_timestamp() - interval '40 days'
        """,
        {"job": job_id, "state": state},
    )


async def clean(engine: Engine, **payload: Any) -> dict[str, Any]:
    row = await engine.run("cleanup_jobs", payload)
    assert row["status"] == "completed", row["error"]
    return row["result"]


class TestRetention:
    async def test_is_that_of_each_status(self, engine, connection):
        ages = {"completed": 30, "error": 7, "cancelled": 7, "timeout": 7}
        old = [aged(connection, days + 0.1, status) for status, days in ages.items()]
        young = [aged(connection, days - 0.1, status) for status, days in ages.items()]
        assert (await clean(engine))["scrapingJobs"] == 4
        assert there(connection, *old, *young) == [False] * 4 + [True] * 4
        # The results of those that went are gone, and no others
        assert results(connection) == 8

    async def test_is_what_the_application_configured(self, engine, connection):
        connection.execute(
            "INSERT INTO system_configurations (category, key, value, value_type)"
            " VALUES ('cleanup', 'completed_jobs_retention_days', '3', 'number')"
            " ON CONFLICT (category, key) DO UPDATE SET value = '3'"
        )
        four, two = aged(connection, 4, "completed"), aged(connection, 2, "completed")
        await clean(engine)
        assert there(connection, four, two) == [False, True]

    async def test_passes_over_words_of_the_application(self, engine, connection):
        other = aged(connection, 400, "dispatching")
        assert (await clean(engine))["scrapingJobs"] == 0
        assert there(connection, other) == [True]

    async def test_takes_as_many_batches_as_it_needs(self, engine, connection):
        for _ in range(7):
            aged(connection, 40, "completed", batches=1)
        assert (await clean(engine, batch=2))["scrapingJobs"] == 7
        assert results(connection) == 0

    async def test_of_searches_is_the_same(self, engine, connection):
        def ended(name: str, days: float, status: str) -> None:
            insert_search(connection, name, status=status)
            connection.execute(
                "UPDATE search_jobs SET completed_at = t, updated_at = t"
                " FROM (SELECT worker.utc_now() - make_interval(secs => %s) AS t) old WHERE id = %s",
                (days * 86_400, name),
            )
            connection.execute(
                "INSERT INTO search_results (job_id, profile_id, username, platform) VALUES (%s, 'p', 'p', 'TikTok')",
                (name,),
            )

        for name, days, status in (
            *(("old", 31, "completed"), ("old error", 8, "error"), ("young", 29, "completed")),
            *(("waiting", 400, "queued"), ("other", 400, "dispatching")),
        ):
            ended(name, days, status)
        result = await clean(engine, batch=1)
        assert result["searches"] == 2
        left = connection.execute("SELECT job_id FROM search_results ORDER BY 1").fetchall()
        assert left == [("other",), ("waiting",), ("young",)]
        assert connection.execute("SELECT job_id FROM worker.searches ORDER BY 1").fetchall() == [("waiting",)]
        # And one that nobody has touched for a day is timed out, as scraping jobs are
        connection.execute("UPDATE search_jobs SET created_at = updated_at")
        assert (await clean(engine))["timedOut"] == 1
        assert search(connection, "waiting")["status"] == "timeout"

    async def test_of_events_is_for_done_ones_of_our_own(self, engine, connection):
        for key, days, source, status in (
            ("old", 366, "trawler", "completed"),
            ("young", 364, "trawler", "completed"),
            ("new", 29, "trawler", "completed"),
            ("pending", 366, "trawler", "pending"),
            ("of the application", 366, "application", "completed"),
        ):
            connection.execute(
                "INSERT INTO events (aggregate_id, aggregate_type, event_type, event_data, timestamp, idempotency_key,"
                " source_system, correlation_id, processing_status)"
                " VALUES ('a', 'b', 'c', '{}', worker.utc_now() - make_interval(days => %s), %s, %s, 'd', %s)",
                (days, key, source, status),
            )
        assert (await clean(engine))["events"] == 1
        keys = connection.execute("SELECT idempotency_key FROM events ORDER BY 1").fetchall()
        assert keys == [("new",), ("of the application",), ("pending",), ("young",)]
        # And none that is younger than 30 days, whatever is asked
        assert connection.execute("SELECT worker.forget_events(interval '0', 10)").fetchone() == (1,)
        keys = connection.execute("SELECT idempotency_key FROM events ORDER BY 1").fetchall()
        assert keys == [("new",), ("of the application",), ("pending",)]

    async def test_of_background_jobs_is_the_same(self, engine, connection):
        ids = {}
        for status, days in (("completed", 31), ("completed", 29), ("failed", 8), ("failed", 6), ("pending", 90)):
            job_id = insert_background_job(connection, "noop", status=status, scheduled_for="2099-01-01")
            connection.execute(
                "UPDATE background_jobs SET completed_at = t, updated_at = t"
                " FROM (SELECT worker.utc_now() - make_interval(days => %s) AS t) old WHERE id = %s::uuid",
                (days, job_id),
            )
            ids[status, days] = job_id
        assert (await clean(engine))["backgroundJobs"] == 2
        left = {one for (one,) in connection.execute("SELECT id::text FROM background_jobs").fetchall()}
        gone = {key for key, job_id in ids.items() if job_id not in left}
        assert gone == {("completed", 31), ("failed", 8)}


class TestWhatIsAtWork:
    @pytest.mark.parametrize("state", ["leased", "ready", "waiting"])
    async def test_is_kept_however_old_its_row_is(self, engine, connection, state):
        held, free = aged(connection, 40, "completed"), aged(connection, 40, "completed")
        with_task(connection, held, state)
        with_task(connection, free, "closed")
        await clean(engine)
        assert there(connection, held, free) == [True, False]

    async def test_is_not_timed_out(self, engine, connection):
        held = aged(connection, 2, "processing")
        with_task(connection, held, "leased")
        assert (await clean(engine))["timedOut"] == 0
        assert job(connection, held)["status"] == "processing"

    async def test_and_what_somebody_holds_is_passed_over_without_a_wait(self, engine, connection, database_url):
        held, free = aged(connection, 40, "completed"), aged(connection, 40, "completed")
        with psycopg.connect(database_url) as other:
            other.execute("SELECT FROM scraping_jobs WHERE id = %s FOR UPDATE", (held,))
            assert (await clean(engine))["scrapingJobs"] == 1
        assert there(connection, held, free) == [True, False]


class TestALateRow:
    @pytest.mark.parametrize("status", ["pending", "processing"])
    async def test_becomes_timeout_and_says_why(self, engine, connection, status):
        late, young = aged(connection, 1.1, status), aged(connection, 0.9, status)
        assert (await clean(engine, batch=1))["timedOut"] == 1
        row = job(connection, late)
        assert (row["status"], job(connection, young)["status"]) == ("timeout", status)
        for words in ("for 1 day", "set it to pending"):
            assert words in row["error"]
        assert row["completed_at"] is not None
        # Its results are kept for the days of its status
        assert results(connection) == 4

    @pytest.mark.parametrize(("value", "late"), [("2h", True), ("48h", False), ("24", False), ("30m", False)])
    async def test_is_late_after_what_the_application_configured(self, engine, connection, value, late):
        # A number alone and less than an hour cannot be meant, and change nothing
        connection.execute(
            "INSERT INTO system_configurations (category, key, value, value_type)"
            " VALUES ('timeouts', 'cleanup_timeout_hours', %s, 'duration')",
            (value,),
        )
        row = aged(connection, 3 / 24 if value != "48h" else 1.5, "processing")
        assert (await clean(engine))["timedOut"] == late
        assert job(connection, row)["status"] == ("timeout" if late else "processing")

    async def test_with_time_left_is_not_late(self, engine, connection):
        row = aged(connection, 3, "processing")
        connection.execute("UPDATE scraping_jobs SET timeout_at = worker.utc_now() + interval '1 hour'")
        assert (await clean(engine))["timedOut"] == 0
        assert job(connection, row)["status"] == "processing"

    async def test_that_was_touched_lately_is_not_late(self, engine, connection):
        aged(connection, 3, "pending")
        connection.execute("UPDATE scraping_jobs SET updated_at = worker.utc_now()")
        assert (await clean(engine))["timedOut"] == 0


class TestAnExport:
    async def test_holds_the_row_and_every_creator_before_they_go(self, engine, connection, tmp_path):
        gone, kept = aged(connection, 40, "completed", batches=3), aged(connection, 3, "completed")
        folder = tmp_path / "made" / "by the job"
        await clean(engine, exportTo=str(folder))
        assert [path.name for path in folder.iterdir()] == [f"{gone}.jsonl"]
        first, *creators = (json.loads(line) for line in (folder / f"{gone}.jsonl").read_bytes().splitlines())
        assert (first["job"]["id"], first["job"]["status"]) == (gone, "completed")
        assert [one["creator"]["id"] for one in creators] == ["0-a", "0-b", "1-a", "1-b", "2-a", "2-b"]
        assert creators[0]["creator"]["bio"] == "two\nlines, 日本"
        assert there(connection, gone, kept) == [False, True]

    async def test_that_cannot_be_written_keeps_the_rows(self, engine, connection, tmp_path):
        kept = aged(connection, 40, "completed")
        (tmp_path / "file").write_text("no folder")
        for folder, words in (("exports", "absolute"), (str(tmp_path / "file"), "cannot be used")):
            row = await engine.run("cleanup_jobs", {"exportTo": folder})
            assert row["status"] == "failed"
            assert "exportTo" in row["error"]
            assert words in row["error"]
        assert there(connection, kept) == [True]

    async def test_that_breaks_off_keeps_the_row_and_leaves_no_half_file(self, engine, connection, tmp_path):
        kept = aged(connection, 40, "completed")
        # Given a place that cannot be taken
        (tmp_path / f"{kept}.jsonl").mkdir()
        row = await engine.run("cleanup_jobs", {"exportTo": str(tmp_path)}, max_retries=0)
        assert row["status"] == "failed"
        assert there(connection, kept) == [True]
        assert [path.name for path in tmp_path.iterdir()] == [f"{kept}.jsonl"]

    async def test_of_a_row_that_changes_before_it_goes_keeps_the_row(self, engine, connection, pool):
        # Given a row as it was seen, and written
        kept = aged(connection, 40, "completed")
        async with pool.connection() as other:
            seen = await cleaning.ended_jobs(other, "scraping_jobs", {"completed": timedelta(days=30)}, 10, [])
        # When it gets another creator
        connection.execute("UPDATE scraping_jobs SET processed_results = 5, updated_at = worker.utc_now()")
        # Then it is not what was written
        async with pool.connection() as other:
            assert await cleaning.delete_ended(other, "scraping_jobs", seen) == 0
        assert there(connection, kept) == [True]
        assert results(connection) == 2


class TestARowThatTheApplicationHoldsOnTo:
    async def test_is_kept_and_the_others_go(self, engine, connection):
        connection.execute("CREATE TABLE lists (job_id uuid REFERENCES scraping_jobs (id))")
        held, *free = (aged(connection, 40, "completed") for _ in range(3))
        connection.execute("INSERT INTO lists VALUES (%s)", (held,))
        result = await clean(engine)
        assert (result["scrapingJobs"], result["kept"]) == (2, 1)
        assert there(connection, held, *free) == [True, False, False]
        # Its results are kept with it
        assert results(connection) == 2


@pytest.mark.parametrize("table", ["scraping_jobs", "search_jobs"])
async def test_a_row_that_waits_again_stays_although_nothing_else_of_it_changed(connection, pool, table):
    # Given a row that was seen as ended, and is set back by somebody who leaves updated_at alone
    if table == "scraping_jobs":
        name, word = aged(connection, 40, "completed"), "pending"
    else:
        insert_search(connection, name := "s", status="completed")
        word = "queued"
    (seen,) = connection.execute(f"SELECT updated_at FROM {table}".encode()).fetchone()
    connection.execute(f"UPDATE {table} SET status = %s".encode(), (word,))
    # And whose task nobody has made yet, then it is not deleted
    async with pool.connection() as own:
        assert await cleaning.delete_ended(own, table, [cleaning.Ended(name, seen)]) == 0
    assert connection.execute(f"SELECT count(*) FROM {table}".encode()).fetchone() == (1,)
