"""What the application hears of a scraping job: each change in its own transaction, each event once."""

import psycopg
import pytest

from db.queries.cancelling import cancel
from db.queries.overdue import sweep_overdue
from db.queries.sweeping import sweep_dead_leases
from tests.integration.engine.steps import (
    JOB_LANE,
    OWNER,
    adopt,
    adopted_job,
    claim,
    claimed_job,
    lease_of,
    page_of,
    set_row,
    set_task,
    value,
)
from tests.jobs import insert_background_job, insert_job, job, task
from worker.committing import commit
from worker.job_states import Decision, Ending
from worker.settling import settle

pytestmark = pytest.mark.usefixtures("lanes")


def events(connection: psycopg.Connection, job_id: str) -> list[str]:
    rows = connection.execute(
        "SELECT event_type FROM events WHERE aggregate_id = %s AND aggregate_type = 'scraping_job'"
        " AND correlation_id = %s ORDER BY timestamp, event_type",
        (job_id, job_id),
    )
    return [name for (name,) in rows]


def told(connection: psycopg.Connection, job_id: str, event_type: str) -> dict:
    return value(
        connection, "SELECT event_data FROM events WHERE aggregate_id = %s AND event_type = %s", job_id, event_type
    )


async def test_the_first_claim_is_told_and_no_later_one(connection, pool):
    job_id, claimed = await claimed_job(connection, pool, user_id="user_7", target_results=30)
    assert events(connection, job_id) == ["job_started"]
    assert told(connection, job_id, "job_started") == {"userId": "user_7", "platform": "TikTok", "target": 30}
    # When it goes on, and is started anew by the application
    await settle(pool, lease_of(claimed), OWNER, Decision(Ending.CONTINUE, "slice_ended"))
    (again,) = await claim(pool)
    await settle(pool, lease_of(again), OWNER, Decision(Ending.ERROR, "refused", "why"))
    set_row(connection, job_id, "status = 'pending'")
    adopt(connection)
    assert len(await claim(pool)) == 1
    # Then nothing more is told of its start
    assert events(connection, job_id) == ["job_started", "job_failed"]


@pytest.mark.parametrize(
    ("ending", "reason", "names"),
    [
        (Ending.COMPLETED, "target_reached", ["job_completed"]),
        (Ending.COMPLETED, "plan_limit", ["job_completed", "plan_limit_reached"]),
        (Ending.ERROR, "cancelled", ["job_failed"]),
        (Ending.TIMEOUT, "deadline", ["job_timeout"]),
        (Ending.OUTSIDE, "row_changed", []),
        (Ending.WAIT, "rate_limited", []),
        (Ending.RETRY, "fault", []),
    ],
)
async def test_an_end_is_told_with_its_reason_however_often_it_is_settled(connection, pool, ending, reason, names):
    job_id, claimed = await claimed_job(connection, pool)
    lease = lease_of(claimed)
    await commit(pool, lease, page_of(claimed))
    for _ in range(3):
        await settle(pool, lease, OWNER, Decision(ending, reason, "in words"))
    assert events(connection, job_id) == ["job_started", *names]
    for name in names:
        data = told(connection, job_id, name)
        assert data == {
            "userId": "user_1",
            "platform": "TikTok",
            "creators": 2,
            "target": 100,
            "error": "in words",
            "reason": reason,
        }


async def test_a_job_that_ends_twice_is_told_twice(connection, pool):
    job_id, claimed = await claimed_job(connection, pool)
    await settle(pool, lease_of(claimed), OWNER, Decision(Ending.ERROR, "refused"))
    set_row(connection, job_id, "status = 'pending'")
    adopt(connection)
    (again,) = await claim(pool)
    await settle(pool, lease_of(again), OWNER, Decision(Ending.ERROR, "refused"))
    assert events(connection, job_id) == ["job_started", "job_failed", "job_failed"]


async def test_an_event_that_is_rolled_back_goes_with_its_change(connection, pool):
    job_id, claimed = await claimed_job(connection, pool)
    connection.execute("ALTER TABLE worker.attempts ADD CHECK (outcome <> 'completed') NOT VALID")
    with pytest.raises(psycopg.errors.CheckViolation):
        await settle(pool, lease_of(claimed), OWNER, Decision(Ending.COMPLETED, "exhausted"))
    assert task(connection, job_id)["state"] == "leased"
    assert events(connection, job_id) == ["job_started"]


async def test_the_sweeps_tell_of_jobs_that_nobody_runs(connection, pool):
    # Given a job whose deadline passed, and one that killed its workers
    late = adopted_job(connection, timeout_at="2020-01-01")
    set_task(connection, task(connection, late)["id"], "deadline_at = now() - interval '1 s'")
    assert sweep_overdue(connection, 10) == [late]
    deadly, claimed = await claimed_job(connection, pool)
    set_task(connection, claimed.id, "expires_at = now() - interval '1 s'")
    # When both are swept, twice
    for _ in range(2):
        sweep_overdue(connection, 10)
        sweep_dead_leases(connection, 1, 10)
    # Then each is told once, with its row's words
    assert events(connection, late) == ["job_timeout"]
    assert told(connection, late, "job_timeout")["reason"] == "deadline"
    assert events(connection, deadly) == ["job_started", "job_failed"]
    assert told(connection, deadly, "job_failed")["error"] == job(connection, deadly)["error"]


async def test_a_lease_that_is_taken_back_is_no_event(connection, pool):
    job_id, claimed = await claimed_job(connection, pool)
    set_task(connection, claimed.id, "expires_at = now() - interval '1 s'")
    assert len(sweep_dead_leases(connection, 3, 10)) == 1
    assert events(connection, job_id) == ["job_started"]


@pytest.mark.parametrize("adopted", [True, False])
def test_a_cancel_of_a_job_that_nobody_runs_is_told_once(connection, adopted):
    job_id = insert_job(connection)
    if adopted:
        adopt(connection)
    for _ in range(2):
        cancel(connection, job_id, "not needed")
    assert events(connection, job_id) == ["job_failed"]
    data = told(connection, job_id, "job_failed")
    assert (data["reason"], data["error"]) == ("cancelled", "cancelled: not needed")


async def test_a_cancel_of_a_running_job_is_told_by_its_holder(connection, pool):
    job_id, claimed = await claimed_job(connection, pool)
    assert cancel(connection, job_id, "not needed") == "leased"
    assert events(connection, job_id) == ["job_started"]
    await settle(pool, lease_of(claimed), OWNER, Decision(Ending.ERROR, "cancelled", "cancelled: not needed"))
    assert events(connection, job_id) == ["job_started", "job_failed"]


async def test_background_jobs_raise_no_events(connection, pool):
    from db.queries.adopting import adopt_from_inbox

    insert_background_job(connection, "noop")
    adopt_from_inbox(connection, "background_jobs", 10)
    (claimed,) = await claim(pool, lane=JOB_LANE)
    await settle(pool, lease_of(claimed), OWNER, Decision(Ending.COMPLETED, "done"))
    assert value(connection, "SELECT count(*) FROM events") == 0


async def test_items_that_were_set_aside_are_told_once_an_endpoint(connection, pool):
    job_id, claimed = await claimed_job(connection, pool)
    lease = lease_of(claimed)
    bad = {"unreadable": 1, "bad_reasons": ["no_id"], "bad_messages": ["no id"], "bad_raws": ["{}"]}
    for seq in (1, 2):
        await commit(pool, lease, page_of(claimed, seq, [f"{seq}"], items=2, **bad))
    assert events(connection, job_id) == ["job_started", "items_quarantined"]
    assert told(connection, job_id, "items_quarantined") == {
        "userId": "user_1",
        "provider": "simulator",
        "endpoint": "search",
        "page": 1,
        "items": 1,
        "reason": "no_id",
    }


@pytest.mark.parametrize(
    "damage",
    [
        "DROP TABLE events",
        "ALTER TABLE events DROP COLUMN correlation_id",
        "ALTER TABLE events ADD COLUMN needed text NOT NULL",
        "ALTER TABLE events DROP CONSTRAINT events_idempotency_key_key",
    ],
)
async def test_a_table_of_events_that_is_not_as_it_was_holds_up_no_job(connection, pool, damage):
    connection.execute(damage.encode())
    job_id, claimed = await claimed_job(connection, pool)
    lease = lease_of(claimed)
    await commit(pool, lease, page_of(claimed))
    await settle(pool, lease, OWNER, Decision(Ending.COMPLETED, "exhausted"))
    assert job(connection, job_id)["status"] == "completed"
