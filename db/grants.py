"""The least rights of a fleet's role: ``grants.sql``, which the command, the doctor and the tests read alike."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from psycopg import Connection

from worker.errors import ConfigurationError

FILE: Final = Path(__file__).parent / "grants.sql"
_ROLE: Final = ':"role"'
_LINE: Final = re.compile(rf"^GRANT (.+) ON (?:(SCHEMA|FUNCTION) )?([\w.]+) TO {_ROLE};$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Grant:
    """One right on one object: ``UPDATE`` on the ``TABLE`` ``public.users``, perhaps of some ``columns`` only."""

    right: str
    kind: str
    name: str
    columns: tuple[str, ...] = ()

    def __str__(self) -> str:
        columns = f" ({', '.join(self.columns)})" if self.columns else ""
        return f"{self.right}{columns} on {'' if self.kind == 'TABLE' else self.kind.lower() + ' '}{self.name}"


def grants() -> list[Grant]:
    """Every right of ``grants.sql``, one by one."""
    return [
        Grant(right, kind or "TABLE", name, tuple(re.findall(r"\w+", columns)))
        for rights, kind, name in _LINE.findall(FILE.read_text(encoding="utf-8"))
        for right, columns in re.findall(r"(\w+)(?: \((.*?)\))?(?:, |$)", rights)
    ]


def grants_for(role: str) -> str:
    """The statements for a role, as text for ``psql``."""
    return FILE.read_text(encoding="utf-8").replace(_ROLE, '"' + role.replace('"', '""') + '"')


def grant(connection: Connection, role: str) -> None:
    """Give a role what a fleet needs, all or nothing; what it has besides is left to it. Safe to do again.

    Raises `ConfigurationError` when there is no such role, or when the present role may not give some of it.
    """
    with connection.transaction():
        if connection.execute("SELECT FROM pg_roles WHERE rolname = %s", (role,)).fetchone() is None:
            raise ConfigurationError(
                f"there is no role {role!r}; expected one that exists; "
                "make it with CREATE ROLE ... LOGIN PASSWORD ..., and give it no more than that"
            )
        connection.execute(grants_for(role).encode())
        # Postgres only warns where the present role may use an object and not pass the right on.
        if lacking := missing(connection, role):
            raise ConfigurationError(
                f"the role {role!r} would still lack {', '.join(lacking[:5])}; expected that whoever gives rights may; "
                "run this as the owner of the tables"
            )


def missing(connection: Connection, role: str | None = None) -> list[str]:
    """What a role, else the present one, may not do of ``grants.sql``; objects that are not there are passed over.

    A schema that may not be used is told alone, for nothing in it can be. The catalog.
    """
    wanted = grants()
    rows = connection.execute(
        """
        WITH wanted AS (
            SELECT w.*, coalesce(%(role)s, current_user::text)::name AS role
              FROM unnest(%(place)s::integer[], %(right)s::text[], %(kind)s::text[], %(schema)s::text[],
                          %(name)s::text[], %(columns)s::text[]) AS w (place, privilege, kind, schema, name, columns))
        SELECT w.place FROM wanted w JOIN pg_namespace n ON n.nspname = w.schema
         WHERE CASE WHEN w.kind = 'SCHEMA' THEN NOT has_schema_privilege(w.role, n.oid, 'USAGE')
                    WHEN NOT has_schema_privilege(w.role, n.oid, 'USAGE') THEN false
                    WHEN w.kind = 'FUNCTION' THEN EXISTS (
                         SELECT FROM pg_proc p WHERE p.pronamespace = n.oid AND p.proname = w.name
                            AND NOT has_function_privilege(w.role, p.oid, 'EXECUTE'))
                    WHEN w.columns <> '' THEN EXISTS (
                         SELECT FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
                          WHERE c.relnamespace = n.oid AND c.relname = w.name AND NOT a.attisdropped
                            AND a.attname = ANY (string_to_array(w.columns, ','))
                            AND NOT has_column_privilege(w.role, c.oid, a.attnum, w.privilege))
                    ELSE EXISTS (
                         SELECT FROM pg_class c WHERE c.relnamespace = n.oid AND c.relname = w.name
                            AND NOT has_table_privilege(w.role, c.oid, w.privilege)) END
         ORDER BY w.place
        """,
        {
            "role": role,
            "place": list(range(len(wanted))),
            "right": [one.right for one in wanted],
            "kind": [one.kind for one in wanted],
            "schema": [one.name.partition(".")[0] for one in wanted],
            "name": [one.name.partition(".")[2] for one in wanted],
            "columns": [",".join(one.columns) for one in wanted],
        },
    ).fetchall()
    return [str(wanted[place]) for (place,) in rows]
