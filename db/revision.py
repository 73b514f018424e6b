"""Which schema a database has, and which this release needs. Light: every process asks at its start."""

from pathlib import Path

from psycopg import Connection
from psycopg.errors import UndefinedTable

VERSIONS = Path(__file__).parent / "migrations" / "versions"


def newest_revision() -> str:
    """The revision this release was written for: migrations are numbered, and their files begin with the number."""
    return max(path.stem.split("_")[0] for path in VERSIONS.glob("[0-9]*.py"))


def current_revision(connection: Connection) -> str | None:
    """The revision of a database; None where no migration of ours has run."""
    try:
        with connection.transaction():
            row = connection.execute("SELECT version_num FROM worker.alembic_version").fetchone()
    except UndefinedTable:
        return None
    return row[0] if row else None
