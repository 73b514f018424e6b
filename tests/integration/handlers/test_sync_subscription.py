"""``sync_subscription``: a user's tables follow Stripe's events, in whatever order and however often they come."""

from itertools import permutations
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.handlers.billing_event import STATUSES, TYPES, BillingEvent
from actors.handlers.subscription_history import fold
from actors.handlers.sync_subscription import changes_of
from db.queries.billing import RECEIVED
from db.queries.lanes import NewLane, ensure_lanes
from tests.integration.handlers.conftest import Engine
from tests.integration.handlers.followed import queued, raised
from tests.jobs import attempts
from worker.lanes import UNROUTABLE_JOB

DAY = 86_400
BEGIN = 1_793_485_600
"""31 October 2026, 22:26 UTC."""
GLOW, VIRAL = "price_glow_month", "price_viral_year"


@pytest.fixture
def user(connection) -> str:
    """A user whose checkout has linked the customer, as the application leaves one; give the key of its tables."""
    ensure_lanes(connection, [NewLane("job.complete_onboarding", 1, 1), NewLane(UNROUTABLE_JOB, 1, 1)])
    connection.execute(
        "INSERT INTO subscription_plans (plan_key, display_name, monthly_price, stripe_monthly_price_id,"
        " stripe_yearly_price_id, campaigns_limit, creators_limit, features) VALUES"
        " ('glow_up', 'Glow Up', 9900, 'price_glow_month', NULL, 3, 1000, '{\"export\": true}'),"
        " ('viral_surge', 'Viral Surge', 24900, 'price_viral_month', 'price_viral_year', 10, 10000, '{}')"
        " ON CONFLICT (plan_key) DO UPDATE SET stripe_monthly_price_id = excluded.stripe_monthly_price_id,"
        " stripe_yearly_price_id = excluded.stripe_yearly_price_id, features = excluded.features"
    )
    (key,) = connection.execute("INSERT INTO users (user_id) VALUES ('user_1') RETURNING id::text").fetchone()
    make_rows(connection, key)
    return key


def make_rows(connection, key: str) -> None:
    connection.execute("INSERT INTO user_subscriptions (user_id) VALUES (%s)", (key,))
    connection.execute("INSERT INTO user_billing (user_id, stripe_customer_id) VALUES (%s, 'cus_1')", (key,))
    connection.execute("INSERT INTO user_system_data (user_id) VALUES (%s)", (key,))
    connection.execute(
        "INSERT INTO user_usage (user_id, usage_creators_current_month, usage_reset_date)"
        " VALUES (%s, 700, '2026-10-03 10:00')",
        (key,),
    )


def event(number: int, kind: str, at: int, /, status: str | None = None, **about: Any) -> dict[str, Any]:
    """A webhook event made ``at`` seconds after the beginning."""
    subject: dict[str, Any] = {"customer": "cus_1", "id": "sub_1", "status": status, **about}
    if kind.startswith("invoice."):
        subject = {"customer": "cus_1", "id": "in_1", "subscription": "sub_1", **about}
    if price := subject.pop("price", None):
        subject["items"] = {"data": [{"price": {"id": price}}]}
    return {"id": f"evt_{number}", "type": kind, "created": BEGIN + at, "data": {"object": subject}, "livemode": False}


def created(number: int, at: int, status: str = "trialing", **about: Any) -> dict[str, Any]:
    trial = {"trial_start": BEGIN, "trial_end": BEGIN + 7 * DAY} if status == "trialing" else {}
    return event(number, "customer.subscription.created", at, status, **{"price": GLOW, **trial, **about})


def updated(number: int, at: int, status: str, **about: Any) -> dict[str, Any]:
    return event(number, "customer.subscription.updated", at, status, **about)


def deleted(number: int, at: int, **about: Any) -> dict[str, Any]:
    return event(number, "customer.subscription.deleted", at, "canceled", **about)


async def come(engine: Engine, *events: dict[str, Any]) -> list[dict[str, Any]]:
    """The events come in this order; give their jobs' results."""
    results = []
    for one in events:
        row = await engine.run("sync_subscription", one)
        assert row["status"] == "completed", row["error"]
        results.append(row["result"])
    return results


def subscription(connection) -> dict[str, Any]:
    return all_rows(connection)["user_subscriptions"]


def all_rows(connection) -> dict[str, dict[str, Any]]:
    """The user's one row in each table, without what is new in every run."""
    found = {}
    for table in ("user_subscriptions", "user_billing", "user_usage", "user_system_data"):
        rows = connection.execute(
            f"SELECT to_jsonb(t) - '{{id,user_id,created_at,updated_at,signup_timestamp}}'::text[] FROM {table} t"
        ).fetchall()
        assert len(rows) == 1, table
        ((found[table],),) = rows
    return found


class TestOneEvent:
    async def test_of_a_trial_that_begins_fills_every_table(self, engine, connection, user):
        await come(engine, created(1, 0, current_period_end=BEGIN + 7 * DAY))
        rows = all_rows(connection)
        told = rows["user_subscriptions"]
        assert (told["subscription_status"], told["trial_status"], told["current_plan"]) == (
            "trialing",
            "active",
            "glow_up",
        )
        assert told["trial_start_date"] == "2026-10-31T22:26:40"
        assert told["trial_end_date"] == told["subscription_renewal_date"] == "2026-11-07T22:26:40"
        assert told["billing_sync_status"] == "webhook_customer.subscription.created"
        assert rows["user_billing"]["stripe_subscription_id"] == "sub_1"
        usage = rows["user_usage"]
        assert (usage["plan_campaigns_limit"], usage["plan_creators_limit"]) == (3, 1000)
        assert usage["plan_features"] == {"export": True}
        assert rows["user_system_data"]["last_webhook_event"] == "customer.subscription.created"
        assert rows["user_system_data"]["last_webhook_timestamp"] == "2026-10-31T22:26:40"

    async def test_of_a_trial_that_begins_queues_onboarding_a_moment_later(self, engine, connection, user):
        await come(engine, created(1, 0))
        expected = {"userId": "user_1", "stripeSubscriptionId": "sub_1", "stripeCustomerId": "cus_1"}
        assert queued(connection, "complete_onboarding") == [{"payload": expected, "priority": 10, "delay": 2}]
        assert [one["event_type"] for one in raised(connection)] == [
            "billing_webhook_synced",
            "subscription_created",
            "trial_started",
        ]

    async def test_of_a_subscription_without_a_trial_queues_nothing(self, engine, connection, user):
        await come(engine, created(1, 0, "active"))
        assert queued(connection, "complete_onboarding") == []
        assert subscription(connection)["trial_status"] == "pending"

    @pytest.mark.parametrize(("word", "column"), sorted(STATUSES.items()))
    async def test_gives_the_status_the_application_knows(self, engine, connection, user, word, column):
        await come(engine, created(1, 0, "active"), updated(2, 5, word))
        assert subscription(connection)["subscription_status"] == column

    async def test_of_a_first_payment_converts_the_trial(self, engine, connection, user):
        await come(engine, created(1, 0), updated(2, 7 * DAY, "active"))
        told = subscription(connection)
        assert (told["subscription_status"], told["trial_status"]) == ("active", "converted")
        assert told["trial_conversion_date"] == "2026-11-07T22:26:40"

    async def test_converts_a_trial_that_the_application_began(self, engine, connection, user):
        connection.execute("UPDATE user_subscriptions SET trial_status = 'active'")
        await come(engine, updated(1, 0, "active"))
        assert subscription(connection)["trial_status"] == "converted"

    @pytest.mark.parametrize(("after_days", "word"), [(3, "cancelled"), (8, "expired")])
    async def test_of_a_deletion_ends_the_trial_as_it_was_met(self, engine, connection, user, after_days, word):
        await come(engine, created(1, 0), deleted(2, after_days * DAY))
        told = subscription(connection)
        assert (told["subscription_status"], told["trial_status"]) == ("canceled", word)
        assert told["subscription_cancel_date"] is not None

    async def test_of_a_failed_payment_sets_past_due(self, engine, connection, user):
        await come(engine, created(1, 0, "active"), event(2, "invoice.payment_failed", 5))
        assert subscription(connection)["subscription_status"] == "past_due"

    @pytest.mark.parametrize(("at", "left"), [(0, 700), (DAY, 0)])
    async def test_of_a_payment_begins_a_month_only_in_another_month(self, engine, connection, user, at, left):
        await come(engine, created(1, 0, "active"), event(2, "invoice.payment_succeeded", at))
        assert all_rows(connection)["user_usage"]["usage_creators_current_month"] == left

    async def test_with_a_yearly_price_gives_the_same_plan(self, engine, connection, user):
        await come(engine, created(1, 0, "active", price=VIRAL))
        assert subscription(connection)["current_plan"] == "viral_surge"

    async def test_with_an_unknown_price_keeps_the_plan_and_says_so(self, engine, connection, user):
        (result,) = await come(engine, created(1, 0, "active", price="price_new"))
        assert result["unknown_price"] == "price_new"
        told = subscription(connection)
        assert (told["current_plan"], told["subscription_status"]) == ("free", "active")

    async def test_of_a_newer_api_is_read_where_it_keeps_things_now(self, engine, connection, user):
        item = {"price": {"id": GLOW}, "current_period_end": BEGIN + 30 * DAY}
        invoice = {"subscription": None, "parent": {"subscription_details": {"subscription": "sub_1"}}}
        await come(
            engine,
            created(1, 0, "active", price=None, items={"data": [item]}),
            event(2, "invoice.payment_failed", 5, **invoice),
        )
        told = subscription(connection)
        assert (told["subscription_renewal_date"][:10], told["subscription_status"]) == ("2026-11-30", "past_due")

    async def test_makes_the_rows_that_a_user_lacks(self, engine, connection, user):
        for table in ("user_subscriptions", "user_billing", "user_usage", "user_system_data"):
            connection.execute(f"DELETE FROM {table}".encode())
        await come(engine, created(1, 0, metadata={"userId": "user_1"}))
        rows = all_rows(connection)
        assert rows["user_billing"]["stripe_customer_id"] == "cus_1"
        assert rows["user_subscriptions"]["current_plan"] == "glow_up"


A_TRIAL_THAT_IS_PAID_FOR = [
    created(1, 0),
    updated(2, 60, "trialing", price=VIRAL),
    updated(3, 7 * DAY, "active"),
    event(4, "invoice.payment_succeeded", 7 * DAY),
]
SETS = {
    "a trial that is paid for": A_TRIAL_THAT_IS_PAID_FOR,
    "a trial that ends": [created(1, 0), updated(2, DAY, "trialing", cancel_at=BEGIN + 7 * DAY), deleted(3, 7 * DAY)],
    "a payment that fails, then works": [
        created(1, 0, "active"),
        event(2, "invoice.payment_failed", 30 * DAY),
        updated(3, 30 * DAY, "past_due"),
        updated(4, 31 * DAY, "active", price=VIRAL),
    ],
    "payments of two months": [
        created(1, 0, "active"),
        event(2, "invoice.payment_succeeded", 2 * DAY),
        event(3, "invoice.payment_succeeded", 3 * DAY),
        event(4, "invoice.payment_succeeded", 40 * DAY),
    ],
    "another subscription after the first has ended": [
        created(1, 0),
        deleted(2, 8 * DAY),
        created(3, 5 * DAY, "active", id="sub_2", price=VIRAL),
        updated(4, 9 * DAY, "past_due", id="sub_2"),
    ],
    "all in one second": [created(1, 0), updated(2, 0, "active"), event(3, "invoice.payment_failed", 0), deleted(4, 0)],
}


def begin_again(connection, key: str) -> None:
    connection.execute("DELETE FROM events")
    connection.execute("DELETE FROM background_jobs")
    connection.execute("DELETE FROM worker.enqueue_keys")
    for table in ("user_subscriptions", "user_billing", "user_usage", "user_system_data"):
        connection.execute(f"DELETE FROM {table}".encode())
    make_rows(connection, key)


class TestEveryOrder:
    @pytest.mark.parametrize(
        "events",
        [
            pytest.param(events, id=name, marks=[pytest.mark.slow] if len(events) > 3 else [])
            for name, events in SETS.items()
        ],
    )
    async def test_gives_the_same_state(self, engine, connection, user, events):
        # Given what comes of the events in the order in which they were made
        in_order = sorted(events, key=lambda one: (one["created"], one["id"]))
        await come(engine, *in_order)
        expected, onboarding = all_rows(connection), queued(connection, "complete_onboarding")
        # Then every other order, with each event delivered again at once and at the end, gives the same
        for order in permutations(in_order):
            begin_again(connection, user)
            await come(engine, *order, order[0])
            assert all_rows(connection) == expected, [one["id"] for one in order]
            assert queued(connection, "complete_onboarding") == onboarding

    @pytest.mark.parametrize("events", SETS.values(), ids=SETS)
    async def test_and_all_at_once_give_the_same_state(self, engine, connection, user, events):
        await come(engine, *sorted(events, key=lambda one: (one["created"], one["id"])))
        expected = all_rows(connection)
        begin_again(connection, user)
        # When the jobs of all events, each twice, are claimed together and run side by side
        for one in [*events, *events]:
            engine.put_in("sync_subscription", one)
        await engine.work_off("sync_subscription")
        assert all_rows(connection) == expected
        assert len(raised(connection, RECEIVED)) == len(events)

    async def test_ends_as_the_facts_have_it(self, engine, connection, user):
        # The order above is compared with itself; this says that what it is compared with is right.
        await come(engine, *reversed(A_TRIAL_THAT_IS_PAID_FOR))
        rows = all_rows(connection)
        told = rows["user_subscriptions"]
        assert (told["subscription_status"], told["trial_status"]) == ("active", "converted")
        assert (told["current_plan"], rows["user_usage"]["plan_creators_limit"]) == ("viral_surge", 10000)
        assert rows["user_usage"]["usage_creators_current_month"] == 0
        assert rows["user_system_data"]["last_webhook_timestamp"] == "2026-11-07T22:26:40"


SUBSCRIPTION_TYPES = [kind for kind in TYPES if kind.startswith("customer.")]


@st.composite
def billing_events(draw) -> list[BillingEvent]:
    """Any events of two subscriptions, several in one second, each with an id of its own."""
    found = []
    for number in range(draw(st.integers(2, 6))):
        kind = draw(st.sampled_from(TYPES))
        about = {}
        if kind in SUBSCRIPTION_TYPES:
            about = {
                "status": draw(st.sampled_from(sorted(STATUSES))),
                "price": draw(st.sampled_from([None, GLOW, VIRAL, "price_new"])),
                "renews": draw(st.none() | st.integers(1, 9)),
                "cancelled": draw(st.none() | st.integers(1, 9)),
                **draw(st.sampled_from([{}, {"trial_start": 1, "trial_end": 5}])),
            }
        name = draw(st.sampled_from(["sub_1", "sub_2"]))
        found.append(BillingEvent(f"evt_{number}", kind, draw(st.integers(0, 6)), "cus_1", name, **about))
    return found


@given(
    billing_events(), st.sampled_from(["pending", "active", "expired", "converted"]), st.randoms(use_true_random=False)
)
@settings(max_examples=200, deadline=None)
def test_any_events_write_the_same_row_in_any_order(events, trial_before, chance):
    plans = {GLOW: "glow_up", VIRAL: "viral_surge"}

    def row_after(order: list[BillingEvent]) -> dict[tuple[str, str], Any]:
        """A row that began with nothing but its trial, written as the handler writes it, event by event."""
        row: dict[tuple[str, str], Any] = {("user_subscriptions", "trial_status"): trial_before}
        known: list[BillingEvent] = []
        for one in order:
            before, after = fold(known, plans, trial_before), fold([*known, one], plans, trial_before)
            for table, values in changes_of(before, after).items():
                row |= {(table, column): value for column, value in values.items()}
            if after.plan not in (None, before.plan):
                row["user_subscriptions", "current_plan"] = after.plan
            known.append(one)
        # A column that was never written is NULL, as one that was set back.
        return {place: value for place, value in row.items() if value is not None}

    shuffled = list(events)
    chance.shuffle(shuffled)
    assert row_after(shuffled) == row_after(sorted(events, key=lambda one: one.place))


class TestARepeatedDelivery:
    async def test_of_what_the_application_has_told_already_is_told_once(self, engine, connection, user):
        # Given that the application raised the event itself, and noted the webhook in its own way
        for name in ("subscription_created", "billing_webhook_received"):
            connection.execute(
                "INSERT INTO events (aggregate_id, aggregate_type, event_type, event_data, idempotency_key,"
                " source_system) VALUES ('cus_1', 'subscription', %s, '{\"own\": 1}', %s, 'stripe_webhook')",
                (name, f"stripe_webhook_evt_1_{name}"),
            )
        await come(engine, created(1, 0))
        assert subscription(connection)["subscription_status"] == "trialing"
        (event,) = raised(connection, "subscription_created")
        assert event["event_data"] == {"own": 1}

    async def test_changes_nothing_and_says_so(self, engine, connection, user):
        await come(engine, created(1, 0))
        before, events = all_rows(connection), len(raised(connection))
        # Given that the application has changed its mind meanwhile
        connection.execute("UPDATE user_subscriptions SET current_plan = 'fame_flex'")
        (result,) = await come(engine, created(1, 0))
        assert result == {"applied": False, "reason": "already_applied"}
        assert subscription(connection) == before["user_subscriptions"] | {"current_plan": "fame_flex"}
        assert len(raised(connection)) == events
        assert len(queued(connection, "complete_onboarding")) == 1


class TestAnEventOlderThanWhatSomebodyElseApplied:
    async def test_undoes_nothing(self, engine, connection, user):
        # Given a row that another program has brought up to date
        connection.execute(
            "UPDATE user_system_data SET last_webhook_event = 'customer.subscription.updated',"
            " last_webhook_timestamp = '2026-11-20'"
        )
        connection.execute("UPDATE user_subscriptions SET subscription_status = 'past_due'")
        before = all_rows(connection)
        # When an older event comes
        (result,) = await come(engine, created(1, 0, "active"))
        # Then the row keeps its word
        assert result == {"applied": False, "reason": "older_than_last_webhook"}
        assert all_rows(connection) == before
        # And a newer one is applied, though it says the same as the one that was passed over
        await come(engine, updated(2, 60 * DAY, "active"))
        assert subscription(connection)["subscription_status"] == "active"


class TestAnEventThatCannotBeApplied:
    async def test_for_want_of_its_customer_is_tried_again_until_the_customer_is_there(self, engine, connection, user):
        # Given an event that is faster than the checkout
        connection.execute("UPDATE user_billing SET stripe_customer_id = NULL")
        row = await engine.run("sync_subscription", created(1, 0))
        assert (row["status"], row["retry_count"]) == ("pending", 1)
        # When the checkout has linked the customer
        connection.execute("UPDATE user_billing SET stripe_customer_id = 'cus_1'")
        engine.make_due()
        await engine.work_off("sync_subscription")
        # Then it is applied
        assert subscription(connection)["subscription_status"] == "trialing"

    async def test_for_want_of_its_customer_fails_in_the_end_and_says_what_to_do(self, engine, connection, user):
        connection.execute("UPDATE user_billing SET stripe_customer_id = 'cus_other'")
        job_id = str((await engine.run("sync_subscription", created(1, 0), max_retries=1))["id"])
        engine.make_due()
        await engine.work_off("sync_subscription")
        assert attempts(connection, job_id) == [("retry", "unknown_customer"), ("error", "unknown_customer")]
        (error,) = connection.execute("SELECT error FROM background_jobs WHERE id = %s", (job_id,)).fetchone()
        for words in ("'cus_1'", "user_billing.stripe_customer_id", "link them"):
            assert words in error
        assert raised(connection) == []

    @pytest.mark.parametrize(
        ("change", "words"),
        [
            ({"type": "charge.refunded"}, ("charge.refunded", "customer.subscription.created")),
            ({"created": "now"}, ("$.created",)),
            ({"data": {}}, ("`object`", "$.data")),
            ({"data": {"object": {"customer": "", "id": "sub_1"}}}, ("data.object.customer",)),
            ({"data": {"object": {"customer": "cus_1", "status": 5}}}, ("$.data.object.status",)),
        ],
        ids=lambda value: str(value)[:40],
    )
    async def test_for_its_shape_fails_at_once_and_names_the_field(self, engine, connection, user, change, words):
        row = await engine.run("sync_subscription", created(1, 0) | change)
        assert row["status"] == "failed"
        for word in words:
            assert word in row["error"]
