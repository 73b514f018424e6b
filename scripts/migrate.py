"""Bring the database to the newest schema: ``./run migrate``."""

import argparse
import sys

import psycopg
from sqlalchemy.exc import DBAPIError

from db.migrating import migrate
from db.revision import newest_revision
from worker.boot import check_database, find_servers
from worker.errors import ConfigurationError
from worker.redaction import redact
from worker.settings import load_settings


def main() -> int:
    """Migrate; 0 when the database is up to date or newer, 2 when it cannot be reached or refuses."""
    argparse.ArgumentParser(prog="./run migrate", description=__doc__).parse_args()
    try:
        database_url, _ = find_servers(load_settings())
        check_database(database_url)
        revision = migrate(database_url)
    except (ConfigurationError, DBAPIError, psycopg.Error) as error:
        print(f"migrate: {redact(str(error)).strip()}", file=sys.stderr)
        return 2
    newer = "" if revision == newest_revision() else f", newer than this release's {newest_revision()}: left as it is"
    print(f"the database is at revision {revision}{newer}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
