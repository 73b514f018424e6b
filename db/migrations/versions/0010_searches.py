"""Rows of ``search_jobs`` as tasks: what a search asks for, its triggers, how its row is started and ended."""

from db.migrations import SQL, run_sql

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Widen the engine to ``search_jobs``; what an older release reads or calls keeps its name and meaning."""
    run_sql((SQL / "0010_searches.sql").read_text(encoding="utf-8"))
