"""The plans that a migration brings, and what it leaves alone."""

from pathlib import Path

from db.migrating import migrate
from db.migrations import SQL
from db.session import connect

PLANS = [
    ("free", 0, 0, 0),
    ("glow_up", 9900, 3, 1000),
    ("viral_surge", 24900, 10, 10000),
    ("fame_flex", 49900, -1, -1),
]


def plans(connection) -> list[tuple[str, int, int, int]]:
    return connection.execute(
        "SELECT plan_key, monthly_price, campaigns_limit, creators_limit FROM subscription_plans ORDER BY sort_order"
    ).fetchall()


def test_a_migrated_database_has_the_four_plans(connection):
    assert plans(connection) == PLANS


def test_a_plan_that_is_there_keeps_every_word_and_the_missing_ones_come(connection):
    # Given a database where the application changed one plan and removed another
    connection.execute("DELETE FROM subscription_plans WHERE plan_key = 'free'")
    connection.execute(
        "UPDATE subscription_plans SET monthly_price = 1, stripe_monthly_price_id = 'price_1'"
        " WHERE plan_key = 'glow_up'"
    )
    before = connection.execute("SELECT * FROM subscription_plans WHERE plan_key = 'glow_up'").fetchall()
    # When the migration's statements run again
    connection.execute(Path(SQL / "0008_plans.sql").read_text(encoding="utf-8").encode())
    assert connection.execute("SELECT * FROM subscription_plans WHERE plan_key = 'glow_up'").fetchall() == before
    assert [key for key, *_ in plans(connection)] == ["free", "glow_up", "viral_surge", "fame_flex"]


def test_without_the_right_to_make_an_extension_the_migration_still_runs(empty_database):
    # Given a role that owns the schema and may make no extension
    with connect(empty_database) as admin:
        (name,) = admin.execute("SELECT 'plain_' || substr(md5(random()::text), 1, 12)").fetchone()
        admin.execute(f"CREATE ROLE {name}".encode())
        admin.execute(f"GRANT CREATE, USAGE ON SCHEMA public TO {name}".encode())
        (database,) = admin.execute("SELECT current_database()").fetchone()
        migrate(empty_database)
        admin.execute("DROP EXTENSION pg_trgm CASCADE")
        admin.execute(f"REVOKE CREATE ON DATABASE {database} FROM PUBLIC".encode())
        admin.execute(f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {name}".encode())
        admin.execute(f"GRANT USAGE ON SCHEMA worker TO {name}".encode())
        admin.execute("DELETE FROM subscription_plans")
        # When the migration's statements run as that role
        admin.execute(f"SET ROLE {name}".encode())
        admin.execute(Path(SQL / "0008_plans.sql").read_text(encoding="utf-8").encode())
        admin.execute("RESET ROLE")
        # Then the plans are there, and the index is not
        assert plans(admin) == PLANS
        assert admin.execute("SELECT count(*) FROM pg_extension WHERE extname = 'pg_trgm'").fetchone() == (0,)
        admin.execute(f"DROP OWNED BY {name}".encode())
        admin.execute(f"DROP ROLE {name}".encode())
