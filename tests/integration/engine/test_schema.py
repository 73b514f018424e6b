"""The migrations: what they make, what they leave alone."""

import psycopg
from sqlalchemy import create_engine

from db.migrating import migrate
from db.models import Base
from db.revision import current_revision, newest_revision
from db.session import connect, sqlalchemy_url
from worker.boot import check_schema

EVERYTHING = """
SELECT format('column %s.%s %s %s %s %s', table_name, column_name, udt_name, character_maximum_length, is_nullable,
              column_default)
  FROM information_schema.columns WHERE table_schema = 'public'
UNION ALL
SELECT 'index ' || replace(indexdef, 'public.', '') FROM pg_indexes
 WHERE schemaname = 'public' AND indexname NOT LIKE 'trawler%'
UNION ALL
SELECT format('constraint %s %s %s', conrelid::regclass, conname, pg_get_constraintdef(oid))
  FROM pg_constraint WHERE connamespace = 'public'::regnamespace
"""


def shape(connection: psycopg.Connection) -> set[str]:
    return {line for (line,) in connection.execute(EVERYTHING)}


def test_the_models_and_the_migrations_make_the_same_tables(connection, empty_database):
    # Given a database made by the models alone
    engine = create_engine(sqlalchemy_url(empty_database))
    Base.metadata.create_all(engine)
    engine.dispose()
    # Then nothing differs from the migrated one: columns, defaults, indexes, keys
    with connect(empty_database) as modelled:
        assert shape(modelled) == shape(connection)
    assert len(shape(connection)) > 200


def test_a_table_the_application_made_is_left_exactly_as_it_is(empty_database):
    # Given a database that the application made, with a column and a row of its own and without our indexes
    with connect(empty_database) as connection:
        connection.execute(
            "CREATE TABLE scraping_jobs (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), user_id text NOT NULL,"
            " status varchar(20) NOT NULL DEFAULT 'pending', platform varchar(50) NOT NULL DEFAULT 'Tiktok',"
            " timeout_at timestamp, theirs text)"
        )
        connection.execute("INSERT INTO scraping_jobs (user_id, theirs) VALUES ('user_1', 'kept')")
        before = {line for line in shape(connection) if "scraping_jobs" in line}
        # When it is migrated, twice
        migrate(empty_database)
        migrate(empty_database)
        # Then their table is as it was, the others are there, and so is the engine
        after = {line for line in shape(connection) if "scraping_jobs" in line and "scraping_results" not in line}
        assert {line for line in after if not line.startswith("constraint scraping_results")} == before
        assert connection.execute("SELECT theirs FROM scraping_jobs").fetchone() == ("kept",)
        assert connection.execute("SELECT to_regclass('public.events') IS NOT NULL").fetchone() == (True,)
        assert current_revision(connection) == newest_revision()


def test_a_database_without_our_schema_has_no_revision(empty_database):
    with connect(empty_database) as connection:
        assert current_revision(connection) is None


def test_a_schema_newer_than_the_release_is_left_as_it_is_because_a_roll_back_migrates_too(connection, database_url):
    # Given a database that a later release has migrated
    connection.execute("UPDATE worker.alembic_version SET version_num = '9999'")
    # When this release is rolled back to, and runs its release command
    assert migrate(database_url) == "9999"
    # Then nothing changed, and its processes may start
    assert current_revision(connection) == "9999"
    check_schema(database_url)
