"""How Alembic runs our migrations: online only, one transaction, one migrator at a time, bounded lock waits."""

from alembic import context
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from db.models import Base

# Any 64-bit number will do as long as every release uses the same.
MIGRATION_LOCK = 7_301_944_520_117

engine = create_engine(
    context.config.get_main_option("sqlalchemy.url") or "",
    poolclass=NullPool,
    # Through a transaction pooler a prepared statement stays behind on a backend that the next migrator may get.
    connect_args={"prepare_threshold": None},
)
with engine.begin() as connection:
    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": MIGRATION_LOCK})
    # A busy table of the application must not queue its writers behind a migration that waits.
    connection.execute(text("SET LOCAL lock_timeout = '10s'"))
    connection.execute(text("CREATE SCHEMA IF NOT EXISTS worker"))
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        # The application's schema push leaves other schemas alone, so the version is safe there.
        version_table_schema="worker",
        compare_server_default=True,
    )
    context.run_migrations()
