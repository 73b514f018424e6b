"""Trials that are over end: by the clock for all, by a job for one."""

import asyncio

import pytest

from db.session import connect
from tests.integration.handlers.followed import raised
from tests.integration.handlers.people import insert_user, part

OVER = {"trial_status": "active", "subscription_status": "trialing", "trial_end_date": "2026-01-08 00:00"}


def trials(connection) -> list[tuple[str, str, str]]:
    return connection.execute(
        "SELECT u.user_id, s.trial_status, s.subscription_status FROM users u"
        " JOIN user_subscriptions s ON s.user_id = u.id ORDER BY u.user_id"
    ).fetchall()


async def test_every_trial_that_is_over_ends_and_no_other(engine, connection):
    insert_user(connection, "user_1", user_subscriptions=OVER)
    insert_user(connection, "user_2", user_subscriptions={**OVER, "trial_end_date": "sql:worker.utc_now() + '1 min'"})
    insert_user(connection, "user_3", user_subscriptions={**OVER, "subscription_status": "active"})
    insert_user(connection, "user_4", user_subscriptions={**OVER, "subscription_status": "past_due"})
    insert_user(connection, "user_5", user_subscriptions={**OVER, "trial_status": "cancelled"})
    insert_user(connection, "user_6", user_subscriptions={**OVER, "trial_end_date": None})
    row = await engine.run("expire_trials")
    assert (row["status"], row["result"]) == ("completed", {"expired": 2}), row["error"]
    assert trials(connection) == [
        ("user_1", "expired", "canceled"),
        ("user_2", "active", "trialing"),
        ("user_3", "active", "active"),
        ("user_4", "expired", "past_due"),
        ("user_5", "cancelled", "trialing"),
        ("user_6", "active", "trialing"),
    ]
    told = raised(connection)
    assert [(e["aggregate_type"], e["event_type"], e["source_system"]) for e in told] == [
        ("trial", "trial_expired", "system_automation")
    ] * 2
    assert {e["aggregate_id"] for e in told} == {"user_1", "user_4"}
    assert {e["idempotency_key"] for e in told} == {
        f"system_automation_{user}_20260108T000000_trial_expired" for user in ("user_1", "user_4")
    }


async def test_many_end_in_batches_and_by_two_runs_at_once_each_ends_once(engine, connection):
    # Given more than a batch
    for number in range(25):
        insert_user(connection, f"user_{number}", user_subscriptions=OVER)
    jobs = [engine.put_in("expire_trials", {"batch": 4}) for _ in range(2)]
    # When two runs are at it side by side
    leases = await engine.lease("expire_trials", 2)
    await engine.work(leases)
    # Then together they ended each once
    counts = connection.execute(
        "SELECT sum((result ->> 'expired')::integer), bool_and(status = 'completed') FROM background_jobs"
        " WHERE id = ANY (%s::uuid[])",
        (jobs,),
    ).fetchone()
    assert counts == (25, True)
    assert len(raised(connection, "trial_expired")) == 25
    assert {status for _, status, _ in trials(connection)} == {"expired"}


async def test_a_user_whom_somebody_is_changing_holds_up_no_other(engine, connection, database_url):
    insert_user(connection, "user_1", user_subscriptions=OVER)
    insert_user(connection, "user_2", user_subscriptions=OVER)
    with connect(database_url, "somebody else", autocommit=False) as other:
        other.execute("SELECT FROM users WHERE user_id = 'user_1' FOR UPDATE")
        row = await asyncio.wait_for(engine.run("expire_trials"), 30)
        assert row["result"] == {"expired": 1}
    # And it is the next run's
    assert (await engine.run("expire_trials"))["result"] == {"expired": 1}


async def test_one_trial_ends_once(engine, connection):
    insert_user(connection, user_subscriptions=OVER)
    insert_user(connection, "user_2", user_subscriptions=OVER)
    assert (await engine.run("expire_trial", {"userId": "user_1"}))["result"] == {"expired": 1}
    assert (await engine.run("expire_trial", {"userId": "user_1"}))["result"] == {"expired": 0}
    assert trials(connection) == [("user_1", "expired", "canceled"), ("user_2", "active", "trialing")]
    assert len(raised(connection, "trial_expired")) == 1


async def test_a_trial_that_is_not_over_stays(engine, connection):
    insert_user(connection, user_subscriptions={**OVER, "trial_end_date": "sql:worker.utc_now() + '1 min'"})
    assert (await engine.run("expire_trial", {"userId": "user_1"}))["result"] == {"expired": 0}
    assert part(connection, "user_subscriptions")["trial_status"] == "active"


@pytest.mark.parametrize(
    ("payload", "words"), [({}, "`userId`"), ({"userId": ""}, "$.userId"), ({"userId": "user_404"}, "'user_404'")]
)
async def test_one_trial_of_nobody_fails_and_names_the_field(engine, payload, words):
    row = await engine.run("expire_trial", payload)
    assert row["status"] == "failed"
    assert words in row["error"]
