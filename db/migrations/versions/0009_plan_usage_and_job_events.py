"""What a user's plan has left, for the page commit, and the events that tell of a scraping job. Functions alone."""

from db.migrations import SQL, run_sql

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Make two functions for plans and one for events, and let the first claim of a scraping job raise its event."""
    run_sql((SQL / "0009_plan_usage_and_job_events.sql").read_text(encoding="utf-8"))
