"""Alembic's migrations and how they run files of SQL."""

from pathlib import Path

from alembic import op
from psycopg import Connection

SQL = Path(__file__).parent / "sql"


def run_sql(script: str) -> None:
    """Run statements as they are written: no parameters, so percent signs and several statements are plain text."""
    connection = op.get_bind().connection.driver_connection
    assert isinstance(connection, Connection)  # noqa: S101 - env.py connects by psycopg alone
    connection.execute(script.encode())
