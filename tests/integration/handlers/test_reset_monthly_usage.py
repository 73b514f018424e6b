"""A new month's counters begin at nothing, once a user and month."""

import pytest

from db.session import connect
from tests.integration.handlers.followed import raised
from tests.integration.handlers.people import insert_user, part
from tests.jobs import attempts, background_job, state

USED = {
    "usage_creators_current_month": 70,
    "enrichments_current_month": 5,
    "usage_campaigns_current": 2,
    "usage_reset_date": "sql:date_trunc('month', worker.utc_now()) - interval '1 ms'",
}
NOT_YET = {**USED, "usage_reset_date": "sql:date_trunc('month', worker.utc_now())"}


async def test_the_counters_of_an_earlier_month_go_and_those_of_this_one_stay(engine, connection):
    insert_user(connection, "user_1", user_usage=USED)
    insert_user(connection, "user_2", user_usage=NOT_YET)
    row = await engine.run("reset_monthly_usage")
    assert (row["status"], row["result"]) == ("completed", {"reset": 1}), row["error"]
    new, old = part(connection, "user_usage", "user_1"), part(connection, "user_usage", "user_2")
    assert (new["usage_creators_current_month"], new["enrichments_current_month"]) == (0, 0)
    assert (old["usage_creators_current_month"], old["enrichments_current_month"]) == (70, 5)
    # And campaigns are no matter of the month
    assert (new["usage_campaigns_current"], new["usage_reset_date"]) == (2, old["usage_reset_date"])
    (told,) = raised(connection)
    month = f"{new['usage_reset_date']:%Y-%m}"
    assert told["idempotency_key"] == f"system_automation_user_1_{month}_usage_reset"
    assert told["event_data"] == {"userId": "user_1", "month": month, "creatorsBefore": 70, "enrichmentsBefore": 5}


async def test_what_is_used_after_it_stays_however_often_it_runs(engine, connection):
    insert_user(connection, user_usage=USED)
    await engine.run("reset_monthly_usage")
    connection.execute("UPDATE user_usage SET usage_creators_current_month = 9")
    assert (await engine.run("reset_monthly_usage"))["result"] == {"reset": 0}
    assert part(connection, "user_usage")["usage_creators_current_month"] == 9
    assert len(raised(connection)) == 1


async def test_many_begin_in_batches_and_by_two_runs_at_once_each_begins_once(engine, connection):
    for number in range(23):
        insert_user(connection, f"user_{number}", user_usage=USED)
    jobs = [engine.put_in("reset_monthly_usage", {"batch": 4}) for _ in range(2)]
    await engine.work(await engine.lease("reset_monthly_usage", 2))
    # One of them may have met only what the other had in hand, and waits
    engine.make_due()
    await engine.work_off("reset_monthly_usage")
    assert [background_job(connection, job_id)["status"] for job_id in jobs] == ["completed"] * 2
    assert len(raised(connection, "usage_reset")) == 23
    assert connection.execute("SELECT sum(usage_creators_current_month) FROM user_usage").fetchone() == (0,)


async def test_a_user_whom_somebody_is_changing_is_waited_for(engine, connection, database_url):
    insert_user(connection, "user_1", user_usage=USED)
    insert_user(connection, "user_2", user_usage=USED)
    with connect(database_url, "somebody else", autocommit=False) as other:
        other.execute("SELECT FROM users WHERE user_id = 'user_1' FOR UPDATE")
        job_id = engine.put_in("reset_monthly_usage")
        await engine.work_off("reset_monthly_usage")
        assert (state(connection, job_id), attempts(connection, job_id)) == ("waiting", [("wait", "users_locked")])
        assert part(connection, "user_usage", "user_2")["usage_creators_current_month"] == 0
    engine.make_due()
    await engine.work_off("reset_monthly_usage")
    assert part(connection, "user_usage", "user_1")["usage_creators_current_month"] == 0
    assert background_job(connection, job_id)["status"] == "completed"


@pytest.mark.parametrize("batch", [0, 1001, "x"])
async def test_a_batch_that_is_none_fails_and_names_the_field(engine, batch):
    row = await engine.run("reset_monthly_usage", {"batch": batch})
    assert row["status"] == "failed"
    assert "$.batch" in row["error"]
