"""The end of an onboarding: profile, plan, trial and events, once and together."""

import pytest

from tests.integration.handlers.followed import raised
from tests.integration.handlers.people import insert_user, part
from tests.jobs import attempts

PAYLOAD = {
    "userId": "user_1",
    "stripeSubscriptionId": "sub_1",
    "stripeCustomerId": "cus_1",
    "planId": "viral_surge",
}


def everything(connection):
    """What an onboarding may change, without the times of the last change."""
    return [
        {name: value for name, value in part(connection, table).items() if name != "updated_at"}
        for table in ("users", "user_subscriptions", "user_billing", "user_usage")
    ]


async def test_a_new_user_is_set_up_with_a_plan_and_a_trial(engine, connection):
    # Given a user without any further row
    insert_user(connection)
    row = await engine.run("complete_onboarding", PAYLOAD)
    # Then the user is through, and every missing row was made
    assert (row["status"], row["result"]["alreadyCompleted"]) == ("completed", False), row["error"]
    assert part(connection, "users")["onboarding_step"] == "completed"
    own = part(connection, "user_subscriptions")
    assert (own["current_plan"], own["subscription_status"], own["trial_status"]) == (
        "viral_surge",
        "trialing",
        "active",
    )
    assert own["billing_sync_status"] == "job_onboarding_completed"
    assert (own["trial_end_date"] - own["trial_start_date"]).days == 7
    (fresh,) = connection.execute(
        "SELECT abs(extract(epoch FROM trial_start_date - worker.utc_now())) < 60 FROM user_subscriptions"
    ).fetchone()
    assert fresh
    assert row["result"]["trialEndDate"] == own["trial_end_date"].isoformat()
    billing, usage = part(connection, "user_billing"), part(connection, "user_usage")
    assert (billing["stripe_customer_id"], billing["stripe_subscription_id"]) == ("cus_1", "sub_1")
    assert (usage["plan_campaigns_limit"], usage["plan_creators_limit"]) == (10, 10_000)
    # And both events are told in the application's words
    told = [
        (e["aggregate_type"], e["event_type"], e["idempotency_key"], e["source_system"]) for e in raised(connection)
    ]
    assert told == [
        ("onboarding", "onboarding_completed", "onboarding_user_1_completed", "qstash_job"),
        ("trial", "trial_started", "trial_user_1_started", "qstash_job"),
    ]


async def test_done_twice_it_changes_nothing_more(engine, connection):
    insert_user(connection)
    await engine.run("complete_onboarding", PAYLOAD)
    before = everything(connection)
    again = await engine.run("complete_onboarding", {**PAYLOAD, "planId": "glow_up"})
    assert (again["status"], again["result"]["alreadyCompleted"]) == ("completed", True)
    assert everything(connection) == before
    assert len(raised(connection)) == 2


async def test_a_trial_that_has_dates_keeps_them(engine, connection):
    insert_user(
        connection,
        user_subscriptions={"trial_start_date": "2030-01-01", "trial_end_date": "2030-01-15", "trial_status": "active"},
    )
    await engine.run("complete_onboarding", {"userId": "user_1"})
    own = part(connection, "user_subscriptions")
    assert (f"{own['trial_start_date']:%F}", f"{own['trial_end_date']:%F}") == ("2030-01-01", "2030-01-15")
    # And a trial that ran before does not begin
    assert [event["event_type"] for event in raised(connection)] == ["onboarding_completed"]


@pytest.mark.parametrize(("trial", "status"), [("converted", "active"), ("expired", "canceled")])
async def test_a_trial_that_is_over_does_not_begin_again(engine, connection, trial, status):
    insert_user(connection, user_subscriptions={"trial_status": trial, "subscription_status": status})
    row = await engine.run("complete_onboarding", {"userId": "user_1"})
    own = part(connection, "user_subscriptions")
    assert (row["status"], own["trial_status"], own["subscription_status"]) == ("completed", trial, status)
    assert part(connection, "users")["onboarding_step"] == "completed"


@pytest.mark.parametrize(
    ("given", "wanted", "becomes"),
    [(None, None, "glow_up"), ("free", None, "glow_up"), ("fame_flex", None, "fame_flex")],
)
async def test_the_plan_is_the_one_asked_for_or_the_user_s_own_or_the_usual(engine, connection, given, wanted, becomes):
    insert_user(connection, **({"user_subscriptions": {"current_plan": given}} if given else {}))
    await engine.run("complete_onboarding", {"userId": "user_1"})
    assert part(connection, "user_subscriptions")["current_plan"] == becomes


async def test_the_trial_is_as_long_as_it_is_configured(engine, connection):
    insert_user(connection)
    connection.execute(
        "INSERT INTO system_configurations (category, key, value, value_type) VALUES ('trial', 'days', '14', 'number')"
    )
    await engine.run("complete_onboarding", {"userId": "user_1"})
    own = part(connection, "user_subscriptions")
    assert (own["trial_end_date"] - own["trial_start_date"]).days == 14


@pytest.mark.parametrize(
    ("payload", "reason", "words"),
    [
        ({}, "invalid_payload", "`userId`"),
        ({"userId": ""}, "invalid_payload", "$.userId"),
        ({"userId": 5}, "invalid_payload", "$.userId"),
        ({"userId": "user_404"}, "unknown_user", "userId is 'user_404'"),
        ({"userId": "user_1", "planId": "gold"}, "unknown_plan", "planId is 'gold'; expected one of: free, glow_up"),
        ({"userId": "user_1", "stripeCustomerId": "cus_2"}, "customer_taken", "stripeCustomerId is 'cus_2'"),
    ],
)
async def test_what_cannot_be_done_fails_at_once_and_names_the_field(engine, connection, payload, reason, words):
    insert_user(connection)
    insert_user(connection, "user_2", user_billing={"stripe_customer_id": "cus_2"})
    row = await engine.run("complete_onboarding", payload)
    assert row["status"] == "failed"
    assert words in row["error"]
    assert attempts(connection, str(row["id"])) == [("error", reason)]
    # And nothing of it stays
    assert part(connection, "users")["onboarding_step"] == "pending"
    assert raised(connection) == []
