"""Caps of credits: what is used of each, and what is set aside for calls under way."""

from db.migrations import SQL, run_sql

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Add the tables and functions of caps; what an older release reads and writes stays as it is."""
    run_sql((SQL / "0005_limits.sql").read_text(encoding="utf-8"))
