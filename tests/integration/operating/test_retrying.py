"""A retry sets jobs back that ended, of any table and however many, and nothing else."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from time import monotonic
from uuid import uuid4

import psycopg
import pytest

from db.queries import adopting, sweeping
from db.queries.committing import commit_page
from db.queries.retrying import set_back
from db.queries.spending import Spend
from db.session import connect
from tests.integration.engine.steps import (
    JOB_TIMEOUT,
    LANE,
    TTL,
    claim_on,
    in_thread,
    page_of,
    value,
    wait_until_blocked,
)
from tests.integration.operating.made import LANES, TABLES, WAITING, actions, ended, make_lanes, pending, row, set_row
from tests.jobs import insert_job, job, stored_ids, task
from worker.operating.retrying import preview_retry, retry
from worker.operating.selection import MOST, Selection

ME = "test"


@pytest.fixture(autouse=True)
def _lanes(connection):
    make_lanes(connection)


def claimable(connection: psycopg.Connection, table: str) -> list[str]:
    """Ids of the jobs that a worker of the table's lane is given now, after a reconciler's tick."""
    adopting.adopt_from_inbox(connection, table, MOST)
    sweeping.promote_due(connection, MOST)
    rows = connection.execute(
        "SELECT job_id FROM worker.claim(%s, 'w', %s, %s, %s)",
        (LANES[table], [uuid4() for _ in range(64)], TTL, JOB_TIMEOUT),
    ).fetchall()
    return [job_id for (job_id,) in rows]


class TestARetry:
    @pytest.mark.parametrize("table", TABLES)
    @pytest.mark.parametrize("state", ["closed", "parked"])
    @pytest.mark.parametrize("end", ["gave up", "timeout", "cancelled by an operator", "cancelled by the application"])
    def test_makes_a_job_run_again_whatever_it_spent(self, connection, table, state, end):
        # Given a job that ended, with every counter at its end
        word = {"timeout": "timeout", "cancelled by the application": "cancelled"}.get(end)
        if table == "background_jobs" and word == "timeout":
            word = None
        job_id = ended(connection, table, word=word, state=state, end_reason="cancelled" if "cancelled" in end else "x")
        if table == "scraping_jobs":
            set_row(connection, table, job_id, timeout_at="2020-01-01", error="cancelled: no")
        if table == "background_jobs":
            set_row(connection, table, job_id, retry_count=7, max_retries=3, scheduled_for="2099-01-01")
        # When it is retried
        told = retry(connection, Selection(ids=[job_id]), actor=ME)
        assert (told.done, told.skipped) == ([job_id], {})
        assert row(connection, table, job_id)["status"] == WAITING[table]
        # Then a worker gets it, with nothing spent, and a deadline ahead
        assert claimable(connection, table) == [job_id]
        found = task(connection, job_id)
        assert (found["failures"], found["crashes"], found["waits"], found["epoch"]) == (0, 0, 0, 4)
        if table != "background_jobs":
            assert found["deadline_at"] > datetime.now(UTC)
        assert row(connection, table, job_id).get("retry_count", 0) == 0

    @pytest.mark.parametrize("table", TABLES)
    def test_of_a_row_whose_task_is_still_open_runs_at_once_with_nothing_spent(self, connection, table):
        # Given a job that waits for an hour with one attempt left, whose row the application ended
        job_id = ended(connection, table, state="waiting", closed_at=None, end_reason=None, run_at="1 h")
        assert retry(connection, Selection(ids=[job_id]), actor=ME).done == [job_id]
        assert claimable(connection, table) == [job_id]
        assert task(connection, job_id)["failures"] == 0

    @pytest.mark.parametrize("table", TABLES)
    def test_of_a_row_whose_record_was_pruned_runs_again(self, connection, table):
        job_id = ended(connection, table)
        connection.execute("DELETE FROM worker.tasks")
        assert retry(connection, Selection(ids=[job_id]), actor=ME).done == [job_id]
        assert claimable(connection, table) == [job_id]

    @pytest.mark.parametrize("table", TABLES)
    def test_never_touches_a_job_that_is_running(self, connection, table):
        # Given a running job whose row the application has ended
        job_id = ended(
            connection, table, state="leased", closed_at=None, end_reason=None, token=uuid4(), expires_at="1 h"
        )
        before = (row(connection, table, job_id), task(connection, job_id))
        # When it is retried by id and by filter
        assert preview_retry(connection, Selection(ids=[job_id])).skipped == {job_id: "it is running"}
        for selection in (Selection(ids=[job_id]), Selection(user="user_1"), Selection(table=table)):
            told = retry(connection, selection, actor=ME, from_start=True)
            assert told.done == []
        # Then nothing has changed
        assert (row(connection, table, job_id), task(connection, job_id)) == before
        assert actions(connection) == []

    @pytest.mark.parametrize("table", TABLES)
    def test_never_touches_one_that_was_leased_after_it_was_looked_at(self, connection, table):
        leased = {"state": "leased", "closed_at": None, "end_reason": None, "token": uuid4(), "expires_at": "1 h"}
        job_id = ended(connection, table, **leased)
        before = (row(connection, table, job_id), task(connection, job_id))
        assert set_back(connection, table, [job_id], ["error", "failed"]) == []
        assert (row(connection, table, job_id), task(connection, job_id)) == before

    def test_says_why_it_leaves_others_alone(self, connection):
        done = pending(connection, "scraping_jobs")
        set_row(connection, "scraping_jobs", done, status="completed")
        waits, missing = pending(connection, "background_jobs"), str(uuid4())
        told = retry(connection, Selection(ids=[done, waits, missing]), actor=ME)
        assert told.done == []
        assert told.skipped == {
            done: "it is completed; only jobs that ended as error or timeout are retried",
            waits: "it is pending; only background jobs that failed are retried",
            missing: "there is no such job",
        }

    def test_of_an_id_that_the_filter_does_not_mean_says_so(self, connection):
        job_id = ended(connection, "scraping_jobs")
        told = preview_retry(connection, Selection(ids=[job_id], status="timeout"))
        assert (told.ids, told.skipped) == ([], {job_id: "it is not one of those that the filter means"})

    def test_tells_who_did_it_in_an_event(self, connection):
        job_id = ended(connection, "scraping_jobs")
        told = retry(connection, Selection(ids=[job_id]), actor="ops alice\x00")
        (event,) = actions(connection)
        assert (event["action"], event["actor"], event["batch"]) == ("retry", "ops alice", told.batch)
        assert [one["id"] for one in event["rows"]] == [job_id]
        assert event["rows"][0]["row"]["status"] == "error"

    def test_of_the_application_s_own_word_is_left_out_of_a_filter(self, connection):
        job_id = ended(connection, "scraping_jobs", word="cancelled")
        assert retry(connection, Selection(user="user_1"), actor=ME).done == []
        assert retry(connection, Selection(status="cancelled"), actor=ME).done == [job_id]


class TestARowThatSomebodyHolds:
    @pytest.mark.parametrize("table", TABLES)
    def test_is_not_waited_for_and_said_so(self, connection, database_url, table):
        held, free = ended(connection, table, "held"), ended(connection, table, "free")
        with connect(database_url) as other, other.transaction():
            where = "worker.search_key(id) = %s::uuid" if table == "search_jobs" else "id = %s::uuid"
            other.execute(f"SELECT FROM {table} WHERE {where} FOR UPDATE".encode(), (held,))
            told = retry(connection, Selection(ids=[held, free]), actor=ME)
        assert told.done == [free]
        assert told.skipped == {held: "somebody else holds its row or task at this moment; try again"}

    def test_because_it_is_being_leased_gets_no_second_chance(self, connection, database_url):
        # Given a job that is set back by another, and leased by a worker whose transaction is not over
        job_id = ended(connection, "scraping_jobs")
        with connect(database_url) as worker, worker.transaction():
            set_row(worker, "scraping_jobs", job_id, status="pending")
            adopting.adopt_from_inbox(worker, "scraping_jobs", 10)
            claimed = worker.execute(
                "SELECT job_id FROM worker.claim(%s, 'w', %s, %s, %s)", (LANE, [uuid4()], TTL, JOB_TIMEOUT)
            ).fetchall()
            assert claimed == [(job_id,)]
            # When an operator retries it from the start at that moment
            told = retry(connection, Selection(ids=[job_id]), actor=ME, from_start=True)
            # Then it is left alone
            assert told.done == []
        assert job(connection, job_id)["status"] == "processing"
        assert task(connection, job_id)["state"] == "leased"
        assert preview_retry(connection, Selection(ids=[job_id])).skipped == {job_id: "it is running"}

    def test_by_another_retry_is_set_back_once(self, connection, database_url):
        ids = [ended(connection, "scraping_jobs") for _ in range(20)]

        def one():
            with connect(database_url) as own:
                return retry(own, Selection(ids=ids), actor=ME).done

        # Given two operators who begin together, as both wait for the lock of the table
        with connect(database_url) as gate, gate.transaction():
            gate.execute("LOCK TABLE scraping_jobs IN ACCESS EXCLUSIVE MODE")
            both = [in_thread(one), in_thread(one)]
            wait_until_blocked(connection, 2)
        first, second = (future.result(30) for future in both)
        # Then each job was set back by one of them
        assert sorted(first + second) == sorted(ids)


class TestFromTheStart:
    async def test_nothing_is_left_of_the_first_walk_but_what_it_cost(self, connection, pool):
        # Given a job with a stored page that ended
        job_id = insert_job(connection)
        adopting.adopt_from_inbox(connection, "scraping_jobs", 10)
        async with pool.connection() as own:
            (claimed,) = await claim_on(own)
            await commit_page(own, page_of(claimed, spends=[Spend("simulator", "a", "search", 1, 5)]))
        assert stored_ids(connection, job_id) == ["a", "b"]
        connection.execute(
            "UPDATE worker.tasks SET state = 'closed', closed_at = clock_timestamp(), end_reason = 'x', token = NULL,"
            " expires_at = NULL"
        )
        set_row(connection, "scraping_jobs", job_id, status="error", error="x")
        # When it is retried from the start
        told = retry(connection, Selection(ids=[job_id]), actor=ME, from_start=True)
        # Then results, ledger, dedupe keys and cursor are gone, and the counters with them
        assert (told.done, told.creators_dropped) == ([job_id], 2)
        assert stored_ids(connection, job_id) == []
        for table in ("pages", "seen_creators", "checkpoints"):
            assert value(connection, f"SELECT count(*) FROM worker.{table}") == 0
        found = job(connection, job_id)
        assert (found["processed_results"], found["processed_runs"], found["cursor"], found["progress"]) == (0, 0, 0, 0)
        # And the credits stay spent, the attempts told
        assert value(connection, "SELECT sum(credits) FROM worker.spend") == 5
        # And the same page is stored again, once
        adopting.adopt_from_inbox(connection, "scraping_jobs", 10)
        async with pool.connection() as own:
            (claimed,) = await claim_on(own)
            assert (await commit_page(own, page_of(claimed))).stored == 2
        assert stored_ids(connection, job_id) == ["a", "b"]
        assert job(connection, job_id)["processed_results"] == 2

    def test_a_search_loses_its_rows_and_no_other_s(self, connection):
        mine, other = ended(connection, "search_jobs", "mine"), ended(connection, "search_jobs", "other")
        for name in ("mine", "other"):
            connection.execute(
                "INSERT INTO search_results (job_id, profile_id, username, platform) VALUES (%s, 'p', 'p', 'TikTok')",
                (name,),
            )
            connection.execute("UPDATE search_jobs SET completed_count = 1 WHERE id = %s", (name,))
        told = retry(connection, Selection(ids=[mine]), actor=ME, from_start=True)
        assert (told.done, told.creators_dropped) == ([mine], 1)
        assert connection.execute("SELECT job_id FROM search_results").fetchall() == [("other",)]
        assert row(connection, "search_jobs", mine)["completed_count"] == 0
        assert row(connection, "search_jobs", other)["completed_count"] == 1

    def test_the_results_stay_when_the_row_cannot_be_set_back(self, connection):
        job_id = pending(connection, "scraping_jobs")
        connection.execute(
            'INSERT INTO scraping_results (job_id, creators) VALUES (%s::uuid, \'[{"creator": {"id": "a"}}]\')',
            (job_id,),
        )
        set_row(connection, "scraping_jobs", job_id, status="completed")
        assert retry(connection, Selection(ids=[job_id]), actor=ME, from_start=True).done == []
        assert stored_ids(connection, job_id) == ["a"]


class TestSpread:
    @pytest.mark.parametrize("table", TABLES)
    def test_jobs_come_due_one_after_the_other_evenly(self, connection, table):
        ids = [ended(connection, table, f"s{n}") for n in range(4)]
        told = retry(connection, Selection(ids=ids), actor=ME, spread=timedelta(minutes=8))
        assert sorted(told.done) == sorted(ids)
        adopting.adopt_from_inbox(connection, table, 100)
        times = [task(connection, job_id)["run_at"] for job_id in ids]
        assert [(after - before) for before, after in pairwise(times)] == [timedelta(minutes=2)] * 3
        # The first is due at once, the others wait, and the rows say the same where they have a column for it
        assert claimable(connection, table) == ids[:1]
        assert [task(connection, job_id)["state"] for job_id in ids[1:]] == ["waiting"] * 3
        if table == "background_jobs":
            assert [row(connection, table, job_id)["scheduled_for"].replace(tzinfo=UTC) for job_id in ids] == times

    @pytest.mark.parametrize("table", TABLES)
    def test_reaches_tasks_that_are_still_open_or_gone(self, connection, table):
        first = ended(connection, table, "first")
        opened = ended(connection, table, "open", state="ready", closed_at=None, end_reason=None)
        pruned = ended(connection, table, "pruned")
        connection.execute("DELETE FROM worker.tasks WHERE job_id = %s", (pruned,))
        retry(connection, Selection(ids=[first, opened, pruned]), actor=ME, spread=timedelta(minutes=9))
        adopting.adopt_from_inbox(connection, table, 100)
        assert claimable(connection, table) == [first]
        assert [task(connection, job_id)["state"] for job_id in (opened, pruned)] == ["waiting", "waiting"]

    def test_without_any_lane_leaves_the_jobs_to_adoption(self, connection):
        job_id = ended(connection, "scraping_jobs")
        connection.execute("DELETE FROM worker.tasks")
        connection.execute("DELETE FROM worker.lanes")
        assert retry(connection, Selection(ids=[job_id]), actor=ME, spread=timedelta(minutes=9)).done == [job_id]
        assert value(connection, "SELECT count(*) > 0 FROM worker.inbox")


def many(connection: psycopg.Connection, count: int) -> None:
    connection.execute(
        "INSERT INTO scraping_jobs (user_id, platform, keywords, status, error, created_at)"
        " SELECT 'user_1', 'TikTok', '[\"lamp\"]', 'error', 'gave up after 5 attempts',"
        "        worker.utc_now() - make_interval(secs => %s - n) FROM generate_series(1, %s) n",
        (count, count),
    )
    connection.execute(
        "INSERT INTO worker.tasks (job_table, job_id, lane, tenant, state, closed_at, end_reason)"
        " SELECT 'scraping_jobs', id::text, %s, 'user_1', 'closed', clock_timestamp(), 'gave_up' FROM scraping_jobs",
        (LANE,),
    )


class TestTenThousandAndOne:
    @pytest.mark.parametrize("spread", [None, timedelta(minutes=10)], ids=["at once", "spread"])
    def test_jobs_are_set_back_in_batches_oldest_first_and_the_last_is_told_of(self, connection, spread):
        many(connection, MOST + 1)
        began = monotonic()
        told = retry(connection, Selection(status="error"), actor=ME, spread=spread)
        seconds = monotonic() - began
        print(f"{MOST:,} jobs in {seconds:.1f} s")  # noqa: T201 - told, not judged
        assert (len(told.done), told.more, told.skipped) == (MOST, True, {})
        assert connection.execute("SELECT status, count(*) FROM scraping_jobs GROUP BY 1 ORDER BY 1").fetchall() == [
            ("error", 1),
            ("pending", MOST),
        ]
        newest = value(connection, "SELECT id::text FROM scraping_jobs ORDER BY created_at DESC LIMIT 1")
        assert newest not in told.done
        assert [len(event["rows"]) for event in actions(connection)] == [1000] * 10
