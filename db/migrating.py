"""Brings a database to the newest schema."""

from pathlib import Path

from alembic import command
from alembic.config import Config

from db.session import sqlalchemy_url


def migrate(database_url: str) -> None:
    """Run every missing migration in one transaction. Safe to call from several processes at once."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    # Alembic reads this option with interpolation, where a percent sign of a quoted password would be a mark.
    config.set_main_option("sqlalchemy.url", sqlalchemy_url(database_url).replace("%", "%%"))
    command.upgrade(config, "head")
