"""Row Level Security on the application's tables, for roles that read on behalf of one user. Optional.

The owner of a table is not bound by it, so an application that owns its tables notices nothing. A fleet's role is let
through by a policy that names it: BYPASSRLS would need a superuser to give, and would hold for every table.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, LiteralString

from psycopg import Connection
from psycopg.sql import SQL, Composed, Identifier, Literal

from db.grants import grants

OWN_ROWS: Final = "trawler_own_rows"
ALL_ROWS: Final = "trawler_worker"

# Not set, or set and ended with its transaction: then it is NULL or empty, and nothing is to be seen.
_ME: Final = "nullif(current_setting('app.current_user_id', true), '')"
_PART: Final = "EXISTS (SELECT FROM public.users u WHERE u.id = {}.user_id AND u.user_id = " + _ME + ")"
CONDITIONS: Final[dict[str, LiteralString]] = {
    "campaigns": "user_id = " + _ME,
    "scraping_jobs": "user_id = " + _ME,
    "scraping_results": (
        "EXISTS (SELECT FROM public.scraping_jobs j WHERE j.id = scraping_results.job_id AND j.user_id = " + _ME + ")"
    ),
    "users": "user_id = " + _ME,
    "user_subscriptions": _PART.format("user_subscriptions"),
    "user_billing": _PART.format("user_billing"),
    "user_usage": _PART.format("user_usage"),
    "user_system_data": _PART.format("user_system_data"),
    "search_jobs": (
        "EXISTS (SELECT FROM public.campaigns c WHERE c.id = search_jobs.campaign_id AND c.user_id = " + _ME + ")"
    ),
    "search_results": (
        "EXISTS (SELECT FROM public.search_jobs j JOIN public.campaigns c ON c.id = j.campaign_id"
        " WHERE j.id = search_results.job_id AND c.user_id = " + _ME + ")"
    ),
}
"""Which rows are a user's own, by table; `app.current_user_id` says who it is."""


@dataclass(frozen=True, slots=True)
class _Table:
    """One table as it is now."""

    name: str
    enabled: bool
    own: str | None
    """The condition of our policy, None without one."""
    worker: list[str] | None
    """The roles that our other policy lets through, None without one."""
    foreign: int
    """Policies of the application."""
    passing: list[str]
    """Roles of fleets that Row Level Security would bind."""


def switch_on(connection: Connection) -> list[str]:
    """Let roles that do not own the tables see only rows of the user in `app.current_user_id`; give what was done.

    All or nothing, safe to do again. A table on which the application has Row Level Security keeps its own rules, and
    the fleet's roles are let through. Raises `psycopg.errors.InsufficientPrivilege` unless the role owns the tables.
    Locks: each table that changes, exclusively.
    """
    with connection.transaction():
        connection.execute("SET LOCAL lock_timeout = '10s'")
        done = []
        for table in _tables(connection, CONDITIONS):
            if table.enabled and table.own is None:
                done.append(f"{table.name}: has rules of the application, which stay")
                continue
            condition = CONDITIONS[table.name]
            if table.own != condition:
                _drop(connection, OWN_ROWS, table.name)
                _run(
                    connection,
                    SQL("CREATE POLICY {} ON public.{} USING ({})").format(
                        Identifier(OWN_ROWS), Identifier(table.name), SQL(condition)
                    ),
                )
                # Postgres rewrites conditions; the comment tells whether this is still the one of this release.
                _run(
                    connection,
                    SQL("COMMENT ON POLICY {} ON public.{} IS {}").format(
                        Identifier(OWN_ROWS), Identifier(table.name), Literal(condition)
                    ),
                )
            if not table.enabled:
                _run(connection, SQL("ALTER TABLE public.{} ENABLE ROW LEVEL SECURITY").format(Identifier(table.name)))
            if table.own != condition or not table.enabled:
                done.append(f"{table.name}: a user's own rows only")
        return done + let_fleets_pass(connection)


def switch_off(connection: Connection) -> list[str]:
    """Undo `switch_on`; give what was done. Where the application has rules of its own, they stay, and so do fleets."""
    with connection.transaction():
        connection.execute("SET LOCAL lock_timeout = '10s'")
        done = []
        for table in _tables(connection, CONDITIONS):
            if table.own is None:
                continue
            _drop(connection, OWN_ROWS, table.name)
            if table.foreign:
                done.append(f"{table.name}: has rules of the application, which stay")
                continue
            _drop(connection, ALL_ROWS, table.name)
            _run(connection, SQL("ALTER TABLE public.{} DISABLE ROW LEVEL SECURITY").format(Identifier(table.name)))
            done.append(f"{table.name}: all rows")
        return done


def let_fleets_pass(connection: Connection) -> list[str]:
    """Where Row Level Security is on, let every role through that may work off tasks; give what was done."""
    done = []
    with connection.transaction():
        used = {one.name.partition(".")[2] for one in grants() if one.name.startswith("public.")}
        for table in _tables(connection, used | CONDITIONS.keys()):
            if not table.enabled or (table.worker or []) == table.passing:
                continue
            _drop(connection, ALL_ROWS, table.name)
            if table.passing:
                _run(
                    connection,
                    SQL("CREATE POLICY {} ON public.{} TO {} USING (true) WITH CHECK (true)").format(
                        Identifier(ALL_ROWS), Identifier(table.name), SQL(", ").join(map(Identifier, table.passing))
                    ),
                )
            done.append(f"{table.name}: every row for {', '.join(table.passing) or 'no role besides the owner'}")
    return done


def _tables(connection: Connection, names: Iterable[str]) -> list[_Table]:
    # A role is a fleet's that may change tasks; its owner may by itself. Who owns a table is not bound by its policies.
    rows = connection.execute(
        """
        SELECT c.relname, c.relrowsecurity,
               (SELECT coalesce(obj_description(p.oid, 'pg_policy'), '') FROM pg_policy p
                 WHERE p.polrelid = c.oid AND p.polname = %(own)s),
               (SELECT ARRAY(SELECT r.rolname::text FROM pg_roles r WHERE r.oid = ANY (p.polroles) ORDER BY 1)
                  FROM pg_policy p WHERE p.polrelid = c.oid AND p.polname = %(all)s),
               (SELECT count(*) FROM pg_policy p
                 WHERE p.polrelid = c.oid AND p.polname NOT IN (%(own)s, %(all)s)),
               ARRAY(SELECT DISTINCT r.rolname::text
                       FROM pg_class t
                      CROSS JOIN aclexplode(coalesce(t.relacl, acldefault('r', t.relowner))) a
                       JOIN pg_roles r ON r.oid = a.grantee
                      WHERE t.oid = 'worker.tasks'::regclass AND a.privilege_type = 'UPDATE'
                        AND r.oid <> c.relowner AND NOT r.rolsuper AND NOT r.rolbypassrls ORDER BY 1)
          FROM pg_class c
         WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND c.relname = ANY (%(names)s)
         ORDER BY c.relname
        """,
        {"own": OWN_ROWS, "all": ALL_ROWS, "names": list(names)},
    ).fetchall()
    return [_Table(*row) for row in rows]


def _drop(connection: Connection, policy: str, table: str) -> None:
    _run(connection, SQL("DROP POLICY IF EXISTS {} ON public.{}").format(Identifier(policy), Identifier(table)))


def _run(connection: Connection, statement: Composed) -> None:
    connection.execute(statement)
