"""One lease over many background jobs that take a moment each: a table, and claims that respect it."""

from db.migrations import SQL, run_sql

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """Make the table and the functions."""
    run_sql((SQL / "0012_group_leases.sql").read_text(encoding="utf-8"))
