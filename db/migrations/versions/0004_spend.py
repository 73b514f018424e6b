"""What provider calls cost, and which provider gave which page."""

from db.migrations import SQL, run_sql

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add the ledger of spend; what an older release reads and writes stays as it is."""
    run_sql((SQL / "0004_spend.sql").read_text(encoding="utf-8"))
