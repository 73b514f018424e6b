"""${message}"""

from db.migrations import run_sql

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}


def upgrade() -> None:
    """Say what it adds; never drop or alter what an older release still reads."""
    ${upgrades if upgrades else "pass"}
