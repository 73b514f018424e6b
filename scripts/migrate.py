"""Bring the database to the newest schema: ``./run migrate``."""

import argparse
import sys

import psycopg
from sqlalchemy.exc import DBAPIError

from db.grants import grant, grants_for
from db.migrating import migrate
from db.queries.adopting import ensure_triggers
from db.revision import newest_revision
from db.row_level_security import let_fleets_pass, switch_off, switch_on
from db.session import connect
from worker.boot import check_database, find_servers
from worker.errors import ConfigurationError
from worker.redaction import redact
from worker.settings import load_settings


def main() -> int:
    """Migrate; 0 when the database is up to date or newer, 2 when it cannot be reached or refuses."""
    parser = argparse.ArgumentParser(
        prog="./run migrate", description=__doc__, epilog="docs/security.md tells of roles and Row Level Security."
    )
    parser.add_argument(
        "--grants-for", metavar="ROLE", help="then give this role what workers, reconciler and ops need, and no more"
    )
    parser.add_argument(
        "--print", action="store_true", help="with --grants-for: print the statements, and do nothing at all"
    )
    parser.add_argument(
        "--row-level-security",
        choices=("on", "off"),
        help="then let roles that do not own the application's tables see only rows of one user, or undo that",
    )
    options = parser.parse_args()
    if options.print:
        if not options.grants_for or options.row_level_security:
            parser.error("--print goes with --grants-for ROLE alone")
        print(grants_for(options.grants_for), end="")
        return 0
    try:
        database_url, _ = find_servers(load_settings())
        check_database(database_url)
        revision = migrate(database_url)
        newer = (
            "" if revision == newest_revision() else f", newer than this release's {newest_revision()}: left as it is"
        )
        print(f"the database is at revision {revision}{newer}")
        if not newer:
            _put_triggers_back(database_url)
        _secure(database_url, options.grants_for, options.row_level_security)
    except (ConfigurationError, DBAPIError, psycopg.Error) as error:
        print(f"migrate: {redact(str(error)).strip()}", file=sys.stderr)
        return 2
    return 0


def _put_triggers_back(database_url: str) -> None:
    # A reconciler whose role owns nothing cannot: then whoever migrates does.
    with connect(database_url) as connection:
        for trigger in ensure_triggers(connection):
            print(f"the trigger {trigger} was missing and is put back")


def _secure(database_url: str, role: str | None, row_level_security: str | None) -> None:
    with connect(database_url) as connection:
        done: list[str] = []
        if role:
            grant(connection, role)
            done += [f"the role {role} may do what a fleet does", *let_fleets_pass(connection)]
        if row_level_security:
            changed = (switch_on if row_level_security == "on" else switch_off)(connection)
            done += changed or [f"row level security: {row_level_security} already"]
        for line in done:
            print(line)


if __name__ == "__main__":
    sys.exit(main())
