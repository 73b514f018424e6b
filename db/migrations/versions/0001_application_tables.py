"""The application's tables, where the application has not made them yet."""

import re

import sqlalchemy
from alembic import op

from db.migrations import SQL, run_sql

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create each table that is missing, with its indexes; leave those that exist exactly as they are."""
    connection = op.get_bind()
    for block in (SQL / "0001_application_tables.sql").read_text(encoding="utf-8").split("\n\n"):
        table = re.search(r"^CREATE TABLE (public\.\w+)", block, re.MULTILINE)
        if table and connection.scalar(sqlalchemy.text("SELECT to_regclass(:name) IS NULL"), {"name": table[1]}):
            run_sql(block)
