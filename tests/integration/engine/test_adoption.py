"""How rows of the application become tasks, however they come and whatever breaks."""

import threading
from datetime import timedelta
from uuid import uuid4

import psycopg
import pytest
from psycopg.sql import SQL, Identifier
from sqlalchemy import create_engine, insert

from db.models.scraping import ScrapingJob
from db.queries.adopting import adopt_missed, ensure_triggers
from db.session import connect, sqlalchemy_url
from tests.integration.engine.steps import (
    LANE,
    adopt,
    adopted_job,
    claim,
    claimed_job,
    in_thread,
    lease_of,
    page_of,
    set_row,
    set_task,
    value,
    wait_until_blocked,
)
from tests.jobs import insert_job, job, task
from worker.committing import commit
from worker.job_states import Decision, Ending
from worker.lanes import UNROUTABLE
from worker.settling import settle

pytestmark = pytest.mark.usefixtures("lanes")


def inbox(connection):
    return value(connection, "SELECT count(*) FROM worker.inbox")


def tasks(connection):
    return value(connection, "SELECT count(*) FROM worker.tasks")


def test_a_row_is_adopted_whichever_way_it_was_inserted(connection, database_url):
    # Given rows put in by an ORM, by the simple query protocol, by COPY and by a transaction
    engine = create_engine(sqlalchemy_url(database_url))
    with engine.begin() as orm:
        orm.execute(insert(ScrapingJob).values(user_id="orm", platform="TikTok", keywords=["lamp"]))
    engine.dispose()
    psycopg.ClientCursor(connection).execute("INSERT INTO scraping_jobs (user_id, platform) VALUES ('text', 'TIKTOK')")
    with connection.cursor().copy("COPY scraping_jobs (user_id, platform) FROM STDIN") as copy:
        copy.write_row(("copy", " tiktok "))
    with connection.transaction():
        insert_job(connection, user_id="transaction")
    # When the inbox is emptied
    taken, lanes = adopt(connection)
    # Then each is a ready task of its platform's lane, whatever the casing
    assert (taken, lanes) == (4, [LANE] * 4)
    found = connection.execute("SELECT tenant, state, lane, epoch FROM worker.tasks ORDER BY tenant").fetchall()
    assert found == [(tenant, "ready", LANE, 0) for tenant in ("copy", "orm", "text", "transaction")]
    assert inbox(connection) == 0


def test_a_row_of_a_transaction_that_rolls_back_is_never_seen(connection):
    with connection.transaction(force_rollback=True):
        insert_job(connection)
        assert inbox(connection) == 1
    assert inbox(connection) == 0
    assert adopt(connection) == (0, [])


def test_a_thousand_rows_in_one_statement_cost_one_call_of_the_trigger(connection):
    # When a service inserts a thousand rows at once
    with connection.transaction():
        connection.execute("SET LOCAL track_functions = 'all'")
        connection.execute(
            "INSERT INTO scraping_jobs (user_id, platform) SELECT n::text, 'TikTok' FROM generate_series(1, 1000) n"
        )
        calls = connection.execute("SELECT funcname, calls FROM pg_stat_xact_user_functions").fetchall()
    # Then the trigger ran once, and nothing is missing
    assert calls == [("note_inserted_jobs", 1)]
    assert adopt(connection, batch=600)[0] == 600
    assert adopt(connection, batch=600)[0] == 400
    assert tasks(connection) == 1000


@pytest.mark.parametrize("zone", ["America/New_York", "Asia/Kolkata"])
def test_a_session_in_another_time_zone_shifts_no_deadline(connection, database_url, zone):
    # Given a service and a reconciler whose sessions are not in UTC
    with connect(database_url) as theirs:
        theirs.execute(SQL("SET TIME ZONE {}").format(zone))
        job_id = insert_job(theirs, timeout_at="2031-07-01 12:00:00")
        adopt(theirs)
    # Then the deadline is the moment the row names, read as UTC
    assert value(
        connection, "SELECT deadline_at = '2031-07-01 12:00:00+00' FROM worker.tasks WHERE job_id = %s", job_id
    )


def test_the_platform_default_of_the_application_is_served(connection):
    connection.execute("INSERT INTO scraping_jobs (user_id) VALUES ('user_1')")
    assert adopt(connection)[1] == [LANE]


def test_an_unknown_platform_goes_to_the_unroutable_lane(connection):
    assert task(connection, adopted_job(connection, platform="MySpace"))["lane"] == UNROUTABLE


@pytest.mark.parametrize("status", ["processing", "completed", "error", "timeout", "cancelled", "searching", "PENDING"])
def test_a_row_that_is_not_pending_is_never_touched(connection, status):
    # Given a row with another word, inserted or changed to it before anyone looked
    inserted = insert_job(connection, status=status)
    changed = insert_job(connection)
    set_row(connection, changed, f"status = '{status}'")
    before = [job(connection, inserted), job(connection, changed)]
    # When everything that adopts has run
    adopt(connection)
    adopt_missed(connection, "scraping_jobs", 1000)
    # Then there is no task and the rows are as they were
    assert tasks(connection) == 0
    assert [job(connection, inserted), job(connection, changed)] == before


async def test_a_row_set_back_to_pending_goes_on_at_its_checkpoint_with_fresh_counts(connection, pool):
    # Given a job that stored a page and then failed, with a deadline that has passed since
    job_id, claimed = await claimed_job(connection, pool)
    lease = lease_of(claimed)
    await commit(pool, lease, page_of(claimed))
    await settle(pool, lease, "worker-1", Decision(Ending.ERROR, "gone", "the provider is gone"))
    set_task(connection, claimed.id, "failures = 4, crashes = 2, waits = 7, deadline_at = now() - interval '1 hour'")
    # When the application sets it back, its old timeout_at still in place
    set_row(connection, job_id, "status = 'pending', timeout_at = (now() AT TIME ZONE 'UTC') - interval '1 hour'")
    adopt(connection)
    # Then the task is open, counts cleared, without the stale deadline, and its checkpoint is still there
    again = task(connection, job_id)
    assert (again["id"], again["state"], again["end_reason"], again["closed_at"]) == (claimed.id, "ready", None, None)
    assert (again["failures"], again["crashes"], again["waits"], again["deadline_at"]) == (0, 0, 0, None)
    assert value(connection, "SELECT envelope FROM worker.checkpoints WHERE task_id = %s", claimed.id) == {"page": 2}
    # And its next claim gives it a whole new time
    (reclaimed,) = await claim(pool)
    assert reclaimed.epoch == claimed.epoch + 1
    left = value(connection, "SELECT deadline_at - clock_timestamp() FROM worker.tasks WHERE job_id = %s", job_id)
    assert timedelta(minutes=59) < left <= timedelta(minutes=60)
    assert job(connection, job_id)["error"] is None


def test_without_triggers_the_full_sweep_finds_rows_and_puts_them_back(connection):
    # Given an application whose schema push dropped our triggers
    connection.execute("DROP TRIGGER trawler_inserted ON scraping_jobs")
    connection.execute("DROP TRIGGER trawler_pending ON scraping_jobs")
    insert_job(connection)
    ended = insert_job(connection, status="error")
    assert inbox(connection) == 0
    # When the full sweep runs, in batches smaller than the work
    set_row(connection, ended, "status = 'pending'")
    assert [adopt_missed(connection, "scraping_jobs", 1) for _ in range(3)] == [[LANE], [LANE], []]
    assert ensure_triggers(connection) == ["scraping_jobs.trawler_inserted", "scraping_jobs.trawler_pending"]
    # Then the next row is heard of at once, and nothing is left to mend
    insert_job(connection)
    assert adopt(connection)[0] == 1
    assert ensure_triggers(connection) == []


@pytest.mark.parametrize(
    "fault",
    [
        "ALTER TABLE worker.inbox RENAME TO elsewhere",
        "ALTER TABLE worker.inbox ADD CONSTRAINT never CHECK (false) NOT VALID",
        "ALTER TABLE worker.inbox DROP COLUMN job_table",
    ],
)
def test_a_fault_of_the_triggers_breaks_no_write_of_the_application(connection, fault):
    # Given a broken inbox
    connection.execute(fault.encode())
    # When the application inserts and changes rows
    job_id = insert_job(connection)
    set_row(connection, job_id, "status = 'error'")
    set_row(connection, job_id, "status = 'pending'")
    # Then its rows are there, and the full sweep finds them
    assert job(connection, job_id)["status"] == "pending"
    assert adopt_missed(connection, "scraping_jobs", 1000) == [LANE]


@pytest.mark.direct("SET ROLE holds for a session")
def test_a_role_without_rights_on_our_schema_may_insert_and_update(connection):
    # Given the application's role, which knows nothing of the schema worker
    role = Identifier(f"app_{uuid4().hex[:8]}")
    connection.execute(SQL("CREATE ROLE {}").format(role))
    connection.execute(SQL("GRANT SELECT, INSERT, UPDATE ON scraping_jobs TO {}").format(role))
    try:
        # When it writes
        connection.execute(SQL("SET ROLE {}").format(role))
        job_id = insert_job(connection)
        set_row(connection, job_id, "status = 'pending'")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("SELECT FROM worker.inbox")
        connection.execute("RESET ROLE")
        # Then both writes are told
        assert inbox(connection) == 2
    finally:
        connection.execute("RESET ROLE")
        connection.execute(SQL("DROP OWNED BY {}").format(role))
        connection.execute(SQL("DROP ROLE {}").format(role))


def test_adopting_twice_makes_one_task(connection):
    # Given two entries of one row, and the row found by the sweep as well
    job_id = insert_job(connection)
    set_row(connection, job_id, "status = 'pending'")
    assert inbox(connection) == 2
    assert adopt(connection) == (2, [LANE])
    set_row(connection, job_id, "status = 'pending'")
    # Then later looks change nothing
    assert adopt(connection) == (1, [])
    assert adopt_missed(connection, "scraping_jobs", 1000) == []
    assert tasks(connection) == 1


@pytest.mark.parametrize("lap", range(2))
def test_reconcilers_that_adopt_the_same_rows_at_once_never_deadlock(connection, database_url, lap):
    # Given many rows, stored in the opposite order of their ids, each named twice in the inbox
    connection.execute(
        "INSERT INTO scraping_jobs (id, user_id, platform)"
        " SELECT lpad((2000 - n)::text, 32, '0')::uuid, 'user_1', 'TikTok' FROM generate_series(1, 1000) n"
    )
    connection.execute(
        "INSERT INTO worker.inbox (job_table, job_id) SELECT job_table, job_id FROM worker.inbox ORDER BY id DESC"
    )
    connection.execute("ANALYZE")
    together = threading.Barrier(4)

    def from_inbox():
        with connect(database_url) as own:
            together.wait(10)
            while adopt(own)[0]:
                pass

    def by_sweep():
        with connect(database_url) as own:
            together.wait(10)
            while adopt_missed(own, "scraping_jobs", 1000):
                pass

    # When four reconcilers adopt them together, two from the inbox and two by the full sweep
    running = [in_thread(work) for work in (from_inbox, by_sweep, from_inbox, by_sweep)]
    # Then none of them fails, and every row has one task
    for future in running:
        future.result(30)
    assert tasks(connection) == value(connection, "SELECT count(*) FROM scraping_jobs") == 1000


def test_a_row_that_was_finished_while_adoption_looked_at_it_is_not_reopened(connection, database_url):
    # Given a task that one transaction is making, and a second entry for the same row
    job_id = insert_job(connection)
    with connect(database_url, autocommit=False) as first, connect(database_url) as second:
        assert adopt(first) == (1, [LANE])
        set_row(connection, job_id, "status = 'pending'")
        # When another reconciler, which still sees the row pending, waits for that task
        late = in_thread(lambda: adopt(second))
        wait_until_blocked(connection)
        # And meanwhile the job is claimed and finished
        first.execute("SELECT FROM worker.claim(%s, 'worker-1', ARRAY[gen_random_uuid()], '60 s', '60 min')", (LANE,))
        first.execute(
            "UPDATE worker.tasks SET state = 'closed', closed_at = clock_timestamp(), end_reason = 'exhausted',"
            " token = NULL, expires_at = NULL"
        )
        first.execute("UPDATE scraping_jobs SET status = 'completed'")
        first.commit()
        # Then it stays finished
        assert late.result(10) == (1, [])
    assert task(connection, job_id)["state"] == "closed"
    assert job(connection, job_id)["status"] == "completed"
