"""The last retry is taken back as far as nothing came of it yet."""

from datetime import timedelta
from uuid import uuid4

import pytest

from db.queries import adopting
from db.session import connect
from tests.integration.engine.steps import JOB_TIMEOUT, LANE, TTL
from tests.integration.operating.made import TABLES, actions, ended, make_lanes, row, set_row
from tests.jobs import task
from worker.operating.retrying import retry
from worker.operating.selection import Selection
from worker.operating.undoing import NothingToUndo, undo_retry

ME = "test"
FLEETING = ("updated_at",)
UNKEPT = ("priority", "lane", "max_failures", "adopted_at")


@pytest.fixture(autouse=True)
def _lanes(connection):
    make_lanes(connection)


def all_of(connection, table, job_id):
    told = {name: value for name, value in row(connection, table, job_id).items() if name not in FLEETING}
    return told, {name: value for name, value in task(connection, job_id).items() if name not in UNKEPT}


@pytest.mark.parametrize("adopted", [True, False], ids=["adopted again", "not adopted yet"])
@pytest.mark.parametrize("state", ["closed", "parked"])
@pytest.mark.parametrize("table", TABLES)
def test_a_job_that_has_not_started_is_what_it_was(connection, table, state, adopted):
    # Given a job that ended, and was retried
    job_id = ended(connection, table, state=state, cancel_at="-2 min", cancel_reason="no", claimed_at="-3 min")
    if table != "search_jobs":
        set_row(connection, table, job_id, error="gave up: 'x' \\ \n 🙂")
    if table == "background_jobs":
        set_row(connection, table, job_id, retry_count=3, failed_at="2026-01-02 03:04:05.678901")
    before = all_of(connection, table, job_id)
    batch = retry(connection, Selection(ids=[job_id]), actor=ME, spread=timedelta(minutes=5)).batch
    if adopted:
        adopting.adopt_from_inbox(connection, table, 10)
    assert row(connection, table, job_id)["status"] in ("pending", "queued")
    # When the retry is undone
    told = undo_retry(connection, actor=ME)
    # Then row and task say what they said
    assert (told.done, told.skipped, told.batch) == ([job_id], {}, batch)
    assert all_of(connection, table, job_id) == before
    # And adoption passes over it, and it is told, and there is nothing left to undo
    assert adopting.adopt_from_inbox(connection, table, 10)[1] == []
    assert [event["action"] for event in actions(connection)] == ["retry", "undo"]
    with pytest.raises(NothingToUndo, match="no retry to undo"):
        undo_retry(connection, actor=ME)


@pytest.mark.parametrize("table", TABLES)
def test_a_job_without_a_record_ends_again_and_its_new_task_with_it(connection, table):
    job_id = ended(connection, table)
    connection.execute("DELETE FROM worker.tasks")
    retry(connection, Selection(ids=[job_id]), actor=ME)
    adopting.adopt_from_inbox(connection, table, 10)
    assert undo_retry(connection, actor=ME).done == [job_id]
    assert (task(connection, job_id)["state"], task(connection, job_id)["end_reason"]) == ("closed", "outside")


def test_a_job_that_started_changed_or_is_gone_is_left_alone_and_said_so(connection):
    # Given five retried jobs
    names = ("runs", "waits", "changed", "gone", "free")
    jobs = {name: ended(connection, "scraping_jobs") for name in names}
    retry(connection, Selection(status="error"), actor=ME)
    adopting.adopt_from_inbox(connection, "scraping_jobs", 10)
    # When one runs, one ran and waits, one was changed, one is gone
    connection.execute("DELETE FROM worker.tasks WHERE job_id = %s", (jobs["gone"],))
    connection.execute("DELETE FROM scraping_jobs WHERE id = %s::uuid", (jobs["gone"],))
    connection.execute("UPDATE worker.tasks SET priority = 1 WHERE job_id = ANY (%s)", ([jobs["runs"], jobs["waits"]],))
    connection.execute("SELECT FROM worker.claim(%s, 'w', %s, %s, %s)", (LANE, [uuid4(), uuid4()], TTL, JOB_TIMEOUT))
    connection.execute(
        "UPDATE worker.tasks SET state = 'waiting', token = NULL, expires_at = NULL WHERE job_id = %s", (jobs["waits"],)
    )
    set_row(connection, "scraping_jobs", jobs["changed"], region="DE", updated_at="2026-01-02")
    # Then only the one that nobody touched is set back
    told = undo_retry(connection, actor=ME)
    assert told.done == [jobs["free"]]
    assert told.skipped == {
        jobs["runs"]: "it is running",
        jobs["waits"]: "it is processing since",
        jobs["changed"]: "it was changed since, or somebody holds it at this moment",
        jobs["gone"]: "it is gone",
    }


def test_a_row_that_is_held_is_not_waited_for(connection, database_url):
    job_id = ended(connection, "scraping_jobs")
    retry(connection, Selection(ids=[job_id]), actor=ME)
    with connect(database_url) as other, other.transaction():
        other.execute("SELECT FROM scraping_jobs FOR UPDATE")
        assert undo_retry(connection, actor=ME).done == []
    # What was not undone may be asked for again
    assert undo_retry(connection, actor=ME).done == [job_id]


def test_a_trial_says_what_would_happen_and_changes_nothing(connection):
    job_id = ended(connection, "scraping_jobs")
    retry(connection, Selection(ids=[job_id]), actor=ME)
    assert undo_retry(connection, actor=ME, dry_run=True).done == [job_id]
    assert row(connection, "scraping_jobs", job_id)["status"] == "pending"
    assert [event["action"] for event in actions(connection)] == ["retry"]


def test_the_newest_goes_first_and_an_older_one_may_be_named(connection):
    first, second = ended(connection, "scraping_jobs"), ended(connection, "background_jobs")
    older = retry(connection, Selection(ids=[first]), actor=ME).batch
    retry(connection, Selection(ids=[second]), actor=ME)
    assert undo_retry(connection, actor=ME).done == [second]
    assert undo_retry(connection, actor=ME, batch=older).done == [first]


def test_a_retry_from_the_start_cannot_be_undone(connection):
    job_id = ended(connection, "scraping_jobs")
    retry(connection, Selection(ids=[job_id]), actor=ME, from_start=True)
    with pytest.raises(NothingToUndo, match="cannot be brought back"):
        undo_retry(connection, actor=ME)
    with pytest.raises(NothingToUndo, match="there is no retry 'other'"):
        undo_retry(connection, actor=ME, batch="other")
    assert row(connection, "scraping_jobs", job_id)["status"] == "pending"


def test_two_thousand_jobs_are_put_back_in_their_parts(connection):
    connection.execute(
        "INSERT INTO scraping_jobs (user_id, keywords, status, error) SELECT 'u', '[]', 'error', n::text"
        " FROM generate_series(1, 2001) n"
    )
    assert len(retry(connection, Selection(user="u"), actor=ME).done) == 2001
    told = undo_retry(connection, actor=ME)
    assert (len(told.done), told.skipped) == (2001, {})
    assert connection.execute(
        "SELECT count(DISTINCT error), count(*) FROM scraping_jobs WHERE status = 'error'"
    ).fetchone() == (2001, 2001)
