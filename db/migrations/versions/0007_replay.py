"""Replay of quarantined items: what reading them again needs, and what became of them."""

from db.migrations import SQL, run_sql

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Add columns to the quarantine; what an older release reads and writes stays as it is."""
    run_sql((SQL / "0007_replay.sql").read_text(encoding="utf-8"))
