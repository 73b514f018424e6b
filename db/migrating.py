"""Brings a database to the newest schema."""

from pathlib import Path

from alembic import command
from alembic.config import Config

from db.revision import current_revision, newest_revision
from db.session import connect, sqlalchemy_url


def migrate(database_url: str) -> str:
    """Run every missing migration in one transaction; give the database's revision then.

    Safe to call from several processes at once. A schema newer than this release is left as it is, because a release
    that is rolled back to runs its release command too.
    """
    with connect(database_url) as connection:
        current = current_revision(connection)
    if current is not None and current > newest_revision():
        return current
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    # Alembic reads this option with interpolation, where a percent sign of a quoted password would be a mark.
    config.set_main_option("sqlalchemy.url", sqlalchemy_url(database_url).replace("%", "%%"))
    command.upgrade(config, "head")
    return newest_revision()
