"""What a claim picks is started and leased at once instead of task by task. Functions alone."""

from db.migrations import SQL, run_sql

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Start the rows of many tasks by one statement, and let the claim use it."""
    run_sql((SQL / "0011_claims_of_many.sql").read_text(encoding="utf-8"))
