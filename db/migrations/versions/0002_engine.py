"""The engine's schema: lanes, inbox, tasks, ledger, triggers and the claim."""

from db.migrations import SQL, run_sql

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Create everything of the schema ``worker`` and put the triggers on the application's tables."""
    run_sql((SQL / "0002_engine.sql").read_text(encoding="utf-8"))
