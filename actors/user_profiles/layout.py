"""What the older table of this database has, and what the database allows in the five tables."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from psycopg import Connection

from actors.user_profiles.fields import KNOWN, NO_PLACE, Rules
from db.queries.user_profiles import five_tables, older_table
from worker.errors import ConfigurationError


class Unusable(ConfigurationError):
    """The older table cannot be moved as it is."""


@dataclass(frozen=True, slots=True)
class Layout:
    """What the older table has, and what this database allows."""

    columns: Mapping[str, str]
    unknown: Sequence[str]
    absent: Sequence[str]
    rules: Rules

    @property
    def known(self) -> dict[str, str]:
        """The columns that have a place in the five tables."""
        return {name: kind for name, kind in self.columns.items() if name in KNOWN}


def layout_of(connection: Connection) -> Layout | None:
    """What the older table has; None when there is none. Raises `Unusable` when it has no ``user_id``."""
    columns = older_table.columns_of(connection, older_table.OLDER)
    if not columns:
        return None
    if "user_id" not in columns:
        raise Unusable(
            f"{older_table.OLDER} has no column user_id, but {', '.join(columns)}; expected the Clerk id of each user "
            "there; rename the column that has it"
        )
    return Layout(
        columns=columns,
        unknown=[name for name in columns if name not in KNOWN and name not in NO_PLACE],
        absent=sorted(KNOWN - columns.keys() - {"name", "company_name"}),
        rules=Rules(frozenset(five_tables.plans(connection)) | {"free"}, five_tables.limits_of(connection)),
    )
