"""The plans that users may have, where they are missing, and an index for finding users by a piece of their name."""

from db.migrations import SQL, run_sql

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Insert missing plans, and make the index where this database can have it; what is there stays as it is."""
    run_sql((SQL / "0008_plans.sql").read_text(encoding="utf-8"))
