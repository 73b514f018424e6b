"""A cancel stops many jobs at once, and asks those that run."""

from uuid import uuid4

import pytest

from db.queries import adopting
from db.session import connect
from tests.integration.engine.steps import in_thread, wait_until_blocked
from tests.integration.operating.made import LANES, TABLES, actions, ended, make_lanes, pending, row
from tests.jobs import task
from worker.operating.cancelling import cancel, preview_cancel
from worker.operating.selection import Selection

ME = "test"
OF = {"scraping_jobs": "error", "background_jobs": "failed", "search_jobs": "error"}


@pytest.fixture(autouse=True)
def _lanes(connection):
    make_lanes(connection)


@pytest.mark.parametrize("adopted", [True, False], ids=["adopted", "not adopted"])
def test_jobs_of_all_tables_end_at_once_and_tell_it(connection, adopted):
    jobs = {table: pending(connection, table) for table in TABLES}
    for table in TABLES if adopted else ():
        adopting.adopt_from_inbox(connection, table, 10)
    told = cancel(connection, Selection(ids=list(jobs.values())), actor=ME, reason="costs\x00")
    assert (sorted(told.done), told.notes, told.skipped) == (sorted(jobs.values()), {}, {})
    for table, job_id in jobs.items():
        assert row(connection, table, job_id)["status"] == OF[table]
        assert not adopted or task(connection, job_id)["end_reason"] == "cancelled"
    # The application hears of the search and the scraping job, and the events of who did it
    ends = connection.execute("SELECT aggregate_type FROM events WHERE event_type = 'job_failed' ORDER BY 1").fetchall()
    assert ends == [("scraping_job",), ("search_job",)]
    (event,) = actions(connection)
    assert (event["action"], event["reason"], event["batch"]) == ("cancel", "costs", told.batch)
    assert sorted(event["jobs"]) == sorted(jobs.values())


@pytest.mark.parametrize("table", TABLES)
def test_a_running_job_is_asked_to_stop_and_its_row_stays(connection, table):
    job_id = ended(
        connection, table, word="processing", state="leased", closed_at=None, end_reason=None, token=uuid4(),
        expires_at="1 h",
    )  # fmt: skip
    told = cancel(connection, Selection(table=table, status="processing"), actor=ME, reason="late")
    assert told.done == [job_id]
    assert "asked to stop" in told.notes[job_id]
    assert row(connection, table, job_id)["status"] == "processing"
    assert (task(connection, job_id)["state"], task(connection, job_id)["cancel_reason"]) == ("leased", "late")


def test_others_are_left_alone_with_the_reason(connection):
    done, missing = ended(connection, "scraping_jobs"), str(uuid4())
    told = cancel(connection, Selection(ids=[done, missing]), actor=ME, reason="x")
    assert told.done == []
    assert told.skipped == {
        done: "it is error; only jobs that are pending or processing are cancelled",
        missing: "there is no such job",
    }
    assert actions(connection) == []


def test_a_row_that_somebody_holds_keeps_no_other_from_being_stopped(connection, database_url):
    ids = [pending(connection, "scraping_jobs") for _ in range(5)]
    adopting.adopt_from_inbox(connection, "scraping_jobs", 10)
    with connect(database_url) as other, other.transaction():
        other.execute("SELECT FROM scraping_jobs WHERE id = %s::uuid FOR UPDATE", (ids[2],))
        told = cancel(connection, Selection(user="user_1"), actor=ME, reason="x")
    assert sorted(told.done) == sorted(job_id for job_id in ids if job_id != ids[2])
    assert told.skipped == {ids[2]: "somebody else holds its row; try again"}
    assert row(connection, "scraping_jobs", ids[2])["status"] == "pending"
    assert {event["batch"] for event in actions(connection)} == {told.batch}


@pytest.mark.parametrize("table", TABLES)
def test_a_job_that_a_worker_takes_at_the_same_moment_is_asked_to_stop(connection, database_url, table):
    job_id = pending(connection, table)
    adopting.adopt_from_inbox(connection, table, 10)

    def operator():
        with connect(database_url) as own:
            return cancel(own, Selection(ids=[job_id]), actor=ME, reason="x")

    # Given a worker whose claim is not over when the cancel comes
    with connect(database_url) as worker, worker.transaction():
        worker.execute("SELECT FROM worker.claim(%s, 'w', ARRAY[gen_random_uuid()], '1 min', '1 h')", (LANES[table],))
        asked = in_thread(operator)
        wait_until_blocked(connection)
    # Then the lease is its worker's, and the job is asked to stop
    told = asked.result(30)
    assert (told.done, list(told.notes)) == ([job_id], [job_id])
    found = task(connection, job_id)
    assert (found["state"], found["epoch"], found["cancel_reason"]) == ("leased", 1, "x")
    assert found["token"] is not None
    assert row(connection, table, job_id)["status"] == "processing"


def test_a_thousand_jobs_are_a_few_statements(connection):
    connection.execute("INSERT INTO scraping_jobs (user_id, keywords) SELECT 'u', '[]' FROM generate_series(1, 1200) n")
    adopting.adopt_from_inbox(connection, "scraping_jobs", 2000)
    assert len(preview_cancel(connection, Selection(user="u")).rows) == 1200
    told = cancel(connection, Selection(user="u"), actor=ME, reason="x")
    assert len(told.done) == 1200
    assert connection.execute("SELECT DISTINCT state FROM worker.tasks").fetchall() == [("closed",)]
    assert len(actions(connection)) == 3
