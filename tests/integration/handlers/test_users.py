"""Users: read whole, changed field by field, found by a piece of a name."""

from datetime import datetime

import psycopg
import pytest

from db.queries.user_parts import PARTS, TABLE_OF
from db.queries.users import find_users, profile, profile_of_customer, update_user
from tests.integration.engine.steps import value
from tests.integration.handlers.people import insert_user, part

TABLES = ("user_subscriptions", "user_billing", "user_usage", "user_system_data")


@pytest.fixture
async def asked(pool):
    """A connection as a handler has it."""
    async with pool.connection() as connection:
        yield connection


async def test_a_profile_has_every_part_and_is_found_by_both_ids(connection, asked):
    key = insert_user(
        connection,
        user_subscriptions={"current_plan": "glow_up", "trial_end_date": "2026-01-08"},
        user_billing={"stripe_customer_id": "cus_1", "card_exp_year": 2030},
        user_usage={"plan_creators_limit": 1000, "plan_features": '{"export": true}'},
        user_system_data={"email_schedule_status": '{"welcome": {"status": "sent"}}'},
    )
    insert_user(connection, "user_2", user_billing={"stripe_customer_id": "cus_2"})
    found = await profile(asked, "user_1")
    assert found == await profile_of_customer(asked, "cus_1")
    assert (str(found.user.id), found.user.user_id, found.user.email) == (key, "user_1", "user_1@example.com")
    assert (found.subscription.current_plan, found.subscription.trial_end_date) == ("glow_up", datetime(2026, 1, 8))  # noqa: DTZ001 - as the column holds it
    assert (found.billing.card_exp_year, found.usage.plan_creators_limit) == (2030, 1000)
    assert found.usage.plan_features == {"export": True}
    assert found.system.email_schedule_status == {"welcome": {"status": "sent"}}


@pytest.mark.parametrize("missing", TABLES)
async def test_a_part_without_a_row_is_none_and_the_others_are_there(connection, asked, missing):
    insert_user(connection, **{table: {} for table in TABLES if table != missing})
    found = await profile(asked, "user_1")
    parts = dict(zip(TABLES, (found.subscription, found.billing, found.usage, found.system), strict=True))
    assert [table for table, one in parts.items() if one is None] == [missing]


async def test_a_second_row_of_a_part_makes_no_second_user(connection, asked):
    key = insert_user(connection, user_usage={"usage_campaigns_current": 1})
    connection.execute(
        "INSERT INTO user_usage (user_id, usage_campaigns_current, created_at) VALUES (%s, 2, now() + interval '1 d')",
        (key,),
    )
    assert (await profile(asked, "user_1")).usage.usage_campaigns_current == 1
    # And it is the same row that is changed
    assert await update_user(asked, "user_1", {"usage_campaigns_current": 5})
    assert (await profile(asked, "user_1")).usage.usage_campaigns_current == 5
    assert value(connection, "SELECT sum(usage_campaigns_current) FROM user_usage") == 7


async def test_nobody_is_none(asked):
    assert await profile(asked, "user_404") is None
    assert await profile_of_customer(asked, "cus_404") is None
    assert await update_user(asked, "user_404", {"full_name": "x"}) is False


@pytest.mark.parametrize("rows", ["there", "missing"])
async def test_an_update_reaches_every_table_and_makes_the_rows_that_are_missing(connection, asked, rows):
    insert_user(connection, **({table: {} for table in TABLES} if rows == "there" else {}))
    before = value(connection, "SELECT updated_at FROM users")
    assert await update_user(
        asked,
        "user_1",
        {
            "full_name": "Ada",
            "current_plan": "fame_flex",
            "card_last_4": "4242",
            "plan_features": {"export": True},
            "email_schedule_status": {},
        },
    )
    assert part(connection, "users")["full_name"] == "Ada"
    assert part(connection, "users")["updated_at"] >= before
    assert part(connection, "user_subscriptions")["current_plan"] == "fame_flex"
    assert part(connection, "user_billing")["card_last_4"] == "4242"
    assert part(connection, "user_usage")["plan_features"] == {"export": True}
    # And rows that were made carry UTC, whatever the session's zone
    assert value(connection, "SELECT abs(extract(epoch FROM usage_reset_date - worker.utc_now())) < 60 FROM user_usage")


async def test_an_update_of_one_part_leaves_the_others_alone(connection, asked):
    insert_user(connection)
    await update_user(asked, "user_1", {"industry": "lamps"})
    assert [value(connection, f"SELECT count(*) FROM {table}") for table in TABLES] == [0, 0, 0, 0]


async def test_an_update_happens_wholly_or_not_at_all(connection, asked):
    insert_user(connection)
    with pytest.raises(psycopg.DataError):
        await update_user(asked, "user_1", {"full_name": "Ada", "card_brand": "x" * 21})
    assert part(connection, "users")["full_name"] == "Name of user_1"


async def test_a_field_that_is_none_is_refused_with_the_names_there_are(connection, asked):
    insert_user(connection)
    with pytest.raises(ValueError, match=r"a user has no id, pet; expected some of: .*card_brand"):
        await update_user(asked, "user_1", {"full_name": "Ada", "pet": "cat", "id": "x"})
    assert part(connection, "users")["full_name"] == "Name of user_1"


async def test_every_column_of_the_tables_belongs_to_one_field(connection):
    columns = connection.execute(
        "SELECT table_name, column_name FROM information_schema.columns"
        " WHERE table_schema = 'public' AND table_name = ANY (%s)"
        "   AND column_name NOT IN ('id', 'user_id', 'created_at', 'updated_at')",
        (list(PARTS),),
    ).fetchall()
    assert {name: table for table, name in columns} == TABLE_OF
    assert len(columns) == len(TABLE_OF)


def people(connection) -> None:
    for number, (name, business, address) in enumerate(
        [
            ("Ada Lovelace", "Engines", "ada@example.com"),
            ("Bob 100%", None, None),
            (None, "Lamp & Co", "info@lovely.example"),
            ("Änne Öl", "x_y", "anne@example.com"),
        ]
    ):
        insert_user(
            connection,
            f"user_{number}",
            users={
                "full_name": name,
                "business_name": business,
                "email": address,
                "created_at": f"2026-01-0{number + 1}",
            },
        )


@pytest.fixture(params=["with the index", "without the extension"])
def indexed(request, connection):
    if request.param == "without the extension":
        connection.execute("DROP EXTENSION pg_trgm CASCADE")
    people(connection)
    return request.param


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("love", ["user_2", "user_0"]),
        ("LAMP &", ["user_2"]),
        ("user_3", ["user_3"]),
        ("Änne", ["user_3"]),
        ("100%", ["user_1"]),
        ("x_y", ["user_3"]),
        ("%", ["user_1"]),
        ("\\", []),
        ("", ["user_3", "user_2", "user_1", "user_0"]),
        ("nobody", []),
    ],
)
async def test_users_are_found_by_any_piece_newest_first(connection, asked, indexed, text, found):
    assert [one.user_id for one in await find_users(asked, text)] == found


async def test_the_index_is_used_where_there_is_one(connection, asked):
    people(connection)
    assert value(connection, "SELECT count(*) FROM pg_indexes WHERE indexname = 'trawler_users_search'") == 1
    connection.execute(
        "INSERT INTO users (user_id, full_name) SELECT 'many_' || n, md5(n::text) FROM generate_series(1, 3000) n"
    )
    connection.execute("VACUUM ANALYZE users")
    await find_users(asked, "lovelace")
    await asked.execute("SELECT pg_stat_force_next_flush()")
    await asked.execute("SELECT 1")
    scans = "SELECT idx_scan FROM pg_stat_user_indexes WHERE indexrelname = 'trawler_users_search'"
    assert value(connection, scans) >= 1


async def test_pages_follow_each_other_without_gap_or_repeat(connection, asked):
    # Given users of whom several came in the same moment
    for number in range(10):
        insert_user(connection, f"user_{number}", users={"created_at": f"2026-01-0{number // 4 + 1}"})
    seen, after = [], None
    while page := await find_users(asked, "", after, limit=3):
        assert len(page) <= 3
        seen += [one.user_id for one in page]
        after = (page[-1].created_at, page[-1].id)
    assert len(seen) == 10
    assert set(seen) == {f"user_{number}" for number in range(10)}
