"""``finish_campaign``: a campaign ends when its last job has, and says so once."""

from typing import Any

import pytest

from db.queries.lanes import NewLane, ensure_lanes
from tests.integration.handlers.followed import queued, raised
from tests.jobs import insert_job
from tests.searches import insert_search
from worker.lanes import UNROUTABLE_JOB


@pytest.fixture(autouse=True)
def _lanes(connection):
    ensure_lanes(connection, [NewLane(UNROUTABLE_JOB, 1, 1)])


def campaign(connection, *statuses: str, status: str = "active", found: int = 20) -> tuple[str, list[str]]:
    """A campaign with a job of each status; give its id and theirs."""
    (key,) = connection.execute(
        "INSERT INTO campaigns (user_id, name, search_type, status) VALUES ('user_1', 'Lamps', 'keyword', %s)"
        " RETURNING id::text",
        (status,),
    ).fetchone()
    jobs = [insert_job(connection, campaign_id=key, status=one, processed_results=found) for one in statuses]
    return key, jobs


def status_of(connection, key: str) -> str:
    return connection.execute("SELECT status FROM campaigns WHERE id = %s", (key,)).fetchone()[0]


async def finish(engine, **payload: Any) -> dict[str, Any]:
    row = await engine.run("finish_campaign", payload)
    assert row["status"] == "completed", row["error"]
    return row["result"]


async def test_a_campaign_ends_with_its_last_job(engine, connection):
    key, (first, *_) = campaign(connection, "completed", "error", "timeout", "cancelled")
    assert await finish(engine, jobId=first) == {"finished": [key], "open": []}
    assert status_of(connection, key) == "completed"
    ((event),) = raised(connection)
    assert (event["aggregate_type"], event["aggregate_id"], event["event_type"]) == (
        "campaign",
        key,
        "campaign_completed",
    )
    assert event["event_data"] == {"userId": "user_1", "name": "Lamps", "jobs": 4, "completedJobs": 1, "creators": 80}
    ((mail),) = queued(connection, "send_email")
    assert mail["payload"] == {"userId": "user_1", "type": "campaign_finished", "campaignId": key}


@pytest.mark.parametrize("status", ["pending", "processing", "searching"])
async def test_a_campaign_with_a_job_at_work_is_left_open(engine, connection, status):
    key, _ = campaign(connection, "completed", status)
    assert await finish(engine, campaignId=key) == {"finished": [], "open": [key]}
    assert (status_of(connection, key), raised(connection), queued(connection, "send_email")) == ("active", [], [])


async def test_searches_count_as_jobs_do(engine, connection):
    # Given a campaign whose jobs have ended, and one of its two searches
    key, _ = campaign(connection, "completed")
    insert_search(connection, "a", campaign_id=key, status="completed", completed_count=5)
    insert_search(connection, "b", campaign_id=key, status="processing", completed_count=7)
    assert await finish(engine) == {"finished": [], "open": []}
    assert await finish(engine, campaignId=key) == {"finished": [], "open": [key]}
    # When the other ends
    connection.execute("UPDATE search_jobs SET status = 'timeout' WHERE id = 'b'")
    # Then the campaign has, and tells of all that was found
    assert await finish(engine) == {"finished": [key], "open": []}
    (event,) = raised(connection)
    assert event["event_data"] == {"userId": "user_1", "name": "Lamps", "jobs": 3, "completedJobs": 2, "creators": 32}


async def test_searches_alone_make_a_campaign_s_end_too(engine, connection):
    key, _ = campaign(connection)
    insert_search(connection, "a", campaign_id=key, status="completed")
    assert await finish(engine) == {"finished": [key], "open": []}


async def test_a_campaign_without_a_job_is_left_open(engine, connection):
    key, _ = campaign(connection)
    assert await finish(engine, campaignId=key) == {"finished": [], "open": [key]}
    assert await finish(engine) == {"finished": [], "open": []}


async def test_it_is_told_once_however_often_it_is_asked(engine, connection):
    key, jobs = campaign(connection, "completed", "completed")
    for _ in range(2):
        engine.put_in("finish_campaign", {"campaignId": key})
        engine.put_in("finish_campaign", {"jobId": jobs[0]})
        engine.put_in("finish_campaign")
    # All of them are claimed together and run side by side
    await engine.work_off("finish_campaign")
    # Then one of them finished it
    told = connection.execute("SELECT result -> 'finished' FROM background_jobs WHERE job_type = 'finish_campaign'")
    assert sum(len(finished) for (finished,) in told.fetchall()) == 1
    assert (len(raised(connection)), len(queued(connection, "send_email"))) == (1, 1)
    # And it stays so when somebody opens the campaign again and it ends again
    connection.execute("UPDATE campaigns SET status = 'active'")
    assert (await finish(engine))["finished"] == [key]
    assert (len(raised(connection)), len(queued(connection, "send_email"))) == (1, 1)


async def test_the_clock_finds_all_that_have_ended(engine, connection):
    ended = {campaign(connection, "completed")[0] for _ in range(3)}
    other = campaign(connection, "pending")[0]
    assert set((await finish(engine))["finished"]) == ended
    assert status_of(connection, other) == "active"


@pytest.mark.parametrize("status", ["archived", "completed"])
async def test_a_campaign_that_the_application_has_closed_keeps_its_word(engine, connection, status):
    key, _ = campaign(connection, "completed", status=status)
    assert await finish(engine, campaignId=key) == {"finished": [], "open": []}
    assert (status_of(connection, key), raised(connection)) == (status, [])


async def test_a_job_without_a_campaign_and_a_campaign_that_is_gone_are_nothing(engine, connection):
    nobody = "0b8e4f9e-6f0c-4a57-b0e4-56f0d0a4c001"
    for payload in ({"jobId": insert_job(connection)}, {"jobId": nobody}, {"campaignId": nobody}):
        assert await finish(engine, **payload) == {"finished": [], "open": []}


async def test_an_id_that_is_none_names_the_field(engine):
    row = await engine.run("finish_campaign", {"campaignId": "lamps"})
    assert row["status"] == "failed"
    assert "$.campaignId" in row["error"]


async def test_nothing_of_it_happens_when_the_job_is_cancelled_meanwhile(engine, connection):
    key, _ = campaign(connection, "completed")
    engine.put_in("finish_campaign", {"campaignId": key})
    leases = await engine.lease("finish_campaign")
    connection.execute("UPDATE worker.tasks SET cancel_at = clock_timestamp(), cancel_reason = 'not now'")
    await engine.work(leases)
    assert (status_of(connection, key), raised(connection)) == ("active", [])
