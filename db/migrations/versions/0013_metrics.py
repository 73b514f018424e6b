"""Counters that outlive their processes, and the indexes that the gauges are read by."""

from db.migrations import SQL, run_sql

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    """Make the table of counters, remember which additions a process made, and index what gauges count."""
    run_sql((SQL / "0013_metrics.sql").read_text(encoding="utf-8"))
