"""The five tables of users as the move needs them: what they allow, whom they know, rows in and rows read back."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from psycopg import Connection
from psycopg.rows import class_row
from psycopg.sql import SQL, Identifier, Literal

from db.queries.user_parts import PARTS

TABLES: Final = tuple(PARTS)
"""``users``, and the tables that hang on it, in the order in which they are written."""


@dataclass(frozen=True, slots=True)
class Existing:
    """A user that the five tables know, and the tables that have no row of it."""

    user_id: str
    id: UUID
    missing: list[str]


def limits_of(connection: Connection) -> dict[tuple[str, str], int]:
    """Most characters of the columns of the five tables that have a limit. No locks. Plan: the catalog."""
    rows = connection.execute(
        "SELECT c.relname, a.attname, a.atttypmod - 4 FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid"
        " WHERE c.relnamespace = 'public'::regnamespace AND c.relname = ANY(%s)"
        "   AND a.atttypid = 'varchar'::regtype AND a.atttypmod > 4 AND NOT a.attisdropped",
        (list(TABLES),),
    ).fetchall()
    return {(table, column): limit for table, column, limit in rows}


def plans(connection: Connection) -> set[str]:
    """Keys of all plans. No locks. Plan: a scan of the few plans."""
    return {key for (key,) in connection.execute("SELECT plan_key FROM public.subscription_plans").fetchall()}


_FLAGS = SQL(", ").join(
    SQL("CASE WHEN NOT EXISTS (SELECT FROM public.{} p WHERE p.user_id = u.id) THEN {} END").format(
        Identifier(table), Literal(table)
    )
    for table in TABLES[1:]
)


def existing(connection: Connection, user_ids: Sequence[str], *, lock: bool) -> dict[str, Existing]:
    """The users of Clerk ids, each with the tables that lack a row of it.

    Locks: with ``lock`` the rows of ``users``, as whoever changes a user takes them. Plan: the indexes of ``user_id``.
    """
    if lock:
        connection.execute(
            "SELECT FROM public.users WHERE user_id = ANY(%s) ORDER BY user_id FOR NO KEY UPDATE", (list(user_ids),)
        )
    with connection.cursor(row_factory=class_row(Existing)) as cursor:
        cursor.execute(
            SQL(
                "SELECT u.user_id, u.id, array_remove(ARRAY[{}], NULL) AS missing FROM public.users u"
                " WHERE u.user_id = ANY(%s)"
            ).format(_FLAGS),
            (list(user_ids),),
        )
        return {one.user_id: one for one in cursor}


def owners_of_customers(connection: Connection, customers: Sequence[str]) -> dict[str, str]:
    """Clerk id of whom Stripe customer ids belong to. No locks. Plan: the unique index of ``stripe_customer_id``."""
    return dict(
        connection.execute(
            "SELECT b.stripe_customer_id, u.user_id FROM public.user_billing b JOIN public.users u ON u.id = b.user_id"
            " WHERE b.stripe_customer_id = ANY(%s)",
            (list(customers),),
        ).fetchall()
    )


def insert(
    connection: Connection, table: str, kinds: Mapping[str, str], rows: Sequence[Mapping[str, Any]]
) -> list[str]:
    """Put rows into one of the five tables, and give the ``user_id`` of those that were not there.

    ``kinds`` are the columns with their SQL types; a ``jsonb`` value is its text. Locks: the new rows, and the wait for
    whoever is putting the same user in. Plan: the unique index of ``users.user_id``.
    """
    if not rows:
        return []
    names = ["user_id", *kinds]
    types = {"user_id": "text" if table == "users" else "uuid", **kinds}
    statement = SQL(
        "INSERT INTO public.{} ({}) SELECT {} FROM json_to_recordset(%s::json) AS r({}) ORDER BY r.user_id{}"
        " RETURNING user_id::text"
    ).format(
        Identifier(table),
        SQL(", ").join(map(Identifier, names)),
        SQL(", ").join(
            SQL("{}{}").format(Identifier("r", name), SQL("::jsonb" if types[name] == "jsonb" else ""))
            for name in names
        ),
        SQL(", ").join(
            # A JSON text would become a JSON string; as text it is cast above.
            SQL("{} {}").format(Identifier(name), SQL("text" if types[name] == "jsonb" else _TYPES[types[name]]))
            for name in names
        ),
        SQL(" ON CONFLICT (user_id) DO NOTHING" if table == "users" else ""),
    )
    return [made for (made,) in connection.execute(statement, (json.dumps(rows, default=str),)).fetchall()]


_TYPES: Final = {"text": "text", "uuid": "uuid", "timestamp": "timestamp", "integer": "integer", "boolean": "boolean"}


def stored(
    connection: Connection, table: str, kinds: Mapping[str, str], user_ids: Sequence[str]
) -> dict[str, list[dict[str, Any]]]:
    """All rows that one of the five tables has of users, by Clerk id, as JSON values; a ``jsonb`` value is its text.

    No locks. Plan: the indexes of ``user_id``.
    """
    fields = SQL(", ").join(
        SQL("p.{}{} AS {}").format(Identifier(name), SQL("::text" if kind == "jsonb" else ""), Identifier(name))
        for name, kind in kinds.items()
    )
    whose = SQL("p.user_id = u.user_id" if table == "users" else "p.user_id = u.id")
    found: dict[str, list[dict[str, Any]]] = {}
    for user_id, row in connection.execute(
        SQL(
            "SELECT u.user_id, row_to_json(k) FROM public.users u"
            " JOIN LATERAL (SELECT {} FROM public.{} p WHERE {}) k ON true WHERE u.user_id = ANY(%s)"
        ).format(fields, Identifier(table), whose),
        (list(user_ids),),
    ):
        found.setdefault(user_id, []).append(row)
    return found
