"""Background jobs as tasks, cancel, schedules, and the evidence that on-call wants."""

from db.migrations import SQL, run_sql

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Widen the engine to ``background_jobs``; what an older release reads stays as it is."""
    run_sql((SQL / "0003_background_jobs_and_control.sql").read_text(encoding="utf-8"))
