"""What answers usually look like, and claims of look-ups under way."""

from db.migrations import SQL, run_sql

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Add the tables of shapes and claims; what an older release reads and writes stays as it is."""
    run_sql((SQL / "0006_shapes.sql").read_text(encoding="utf-8"))
