"""A user and the rows that hang on it: read in one round trip, changed field by field, found by a piece of a name."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Final, LiteralString, cast
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import class_row
from psycopg.sql import SQL, Identifier
from psycopg.types.json import Jsonb

from db.queries.user_parts import PARTS, TABLE_OF, Profile

_JSON: Final = ("plan_features", "email_schedule_status")

# No index keeps a second row out of these tables; the oldest is the user's.
_COLUMNS = SQL(", ").join(
    SQL("{}.{}").format(Identifier(table), Identifier(field.name))
    for table, part in PARTS.items()
    for field in fields(part)
)
_JOINS = SQL(" ").join(
    SQL(
        "LEFT JOIN LATERAL (SELECT * FROM public.{table} p WHERE p.user_id = users.id"
        " ORDER BY p.created_at, p.id LIMIT 1) {table} ON true"
    ).format(table=Identifier(table))
    for table in PARTS
    if table != "users"
)


async def profile(connection: AsyncConnection[Any], user_id: str) -> Profile | None:
    """The user of a Clerk id; None when there is none. No locks. Plan: five indexes of ``user_id``."""
    return await _profile(connection, "users.user_id = %s", user_id)


async def profile_of_customer(connection: AsyncConnection[Any], customer: str) -> Profile | None:
    """The user of a Stripe customer id; None when there is none.

    No locks. Plan: the unique index of ``stripe_customer_id``, then as `profile`.
    """
    return await _profile(
        connection,
        "users.id = (SELECT b.user_id FROM public.user_billing b WHERE b.stripe_customer_id = %s)",
        customer,
    )


async def _profile(connection: AsyncConnection[Any], condition: LiteralString, value: str) -> Profile | None:
    statement = SQL("SELECT {} FROM public.users {} WHERE {}").format(_COLUMNS, _JOINS, SQL(condition))
    row = await (await connection.execute(statement, (value,))).fetchone()
    if row is None:
        return None
    values = iter(row)
    parts = [[next(values) for _ in fields(part)] for part in PARTS.values()]
    built = [None if own[0] is None else part(*own) for part, own in zip(PARTS.values(), parts, strict=True)]
    return Profile(*cast("tuple[Any, ...]", built))


async def lock_user(connection: AsyncConnection[Any], user_id: str) -> UUID | None:
    """Lock the user of a Clerk id until the transaction ends, and give its key; None when there is none.

    Whoever changes rows of a user does so under this lock. Locks: the row of ``users``. Plan: its unique index.
    """
    cursor = await connection.execute("SELECT id FROM public.users WHERE user_id = %s FOR NO KEY UPDATE", (user_id,))
    row = await cursor.fetchone()
    return row[0] if row else None


async def update_user(connection: AsyncConnection[Any], user_id: str, changes: Mapping[str, Any]) -> bool:
    """Set fields of a user, each in the table it belongs to, all or none; give whether the user is there.

    A row that is missing is made. Times are UTC without a zone. Raises `ValueError` for a field that is not in
    `TABLE_OF`, before anything is written. Locks: the row of ``users``, then the others in the order of `PARTS`. Plan:
    the indexes of ``user_id``.
    """
    if unknown := sorted(changes.keys() - TABLE_OF.keys()):
        raise ValueError(f"a user has no {', '.join(unknown)}; expected some of: {', '.join(sorted(TABLE_OF))}")
    async with connection.transaction():
        key = await lock_user(connection, user_id)
        if key is None:
            return False
        for table in PARTS:
            own = {name: value for name, value in changes.items() if TABLE_OF[name] == table}
            if own:
                await _write(connection, table, key, own)
    return True


async def _write(connection: AsyncConnection[Any], table: str, key: UUID, own: Mapping[str, Any]) -> None:
    values = [Jsonb(value) if name in _JSON else value for name, value in own.items()]
    place, names = Identifier(table), [Identifier(name) for name in own]
    assignments = SQL("").join(SQL("{} = %s, ").format(name) for name in names)
    which = (
        SQL("id = %s")
        if table == "users"
        else SQL("id = (SELECT p.id FROM public.{} p WHERE p.user_id = %s ORDER BY p.created_at, p.id LIMIT 1)").format(
            place
        )
    )
    cursor = await connection.execute(
        SQL("UPDATE public.{} SET {}updated_at = worker.utc_now() WHERE {}").format(place, assignments, which),
        (*values, key),
    )
    if cursor.rowcount == 0:
        # The application's own defaults of time are the session's; ours are UTC.
        times = [name for name in ("created_at", "updated_at", *_DATED.get(table, ())) if name not in own]
        await connection.execute(
            SQL("INSERT INTO public.{} (user_id, {}) VALUES (%s, {})").format(
                place,
                SQL(", ").join([*names, *map(Identifier, times)]),
                SQL(", ").join([SQL("%s")] * len(names) + [SQL("worker.utc_now()")] * len(times)),
            ),
            (key, *values),
        )


_DATED: Final = {"user_usage": ("usage_reset_date",), "user_system_data": ("signup_timestamp",)}


@dataclass(frozen=True, slots=True)
class FoundUser:
    """One line of a page of users."""

    id: UUID
    user_id: str
    email: str | None
    full_name: str | None
    business_name: str | None
    is_admin: bool
    created_at: datetime
    current_plan: str | None
    trial_status: str | None


async def find_users(
    connection: AsyncConnection[Any], text: str = "", after: tuple[datetime, UUID] | None = None, limit: int = 50
) -> list[FoundUser]:
    """A page of the users in whose name, business, address or Clerk id all of ``text`` stands, newest first.

    Casing does not matter, as far as the database's own rules know it. The next page is ``after`` the last one's
    ``created_at`` and ``id``. No locks. Plan: the trigram index where there
    is one, for texts of three letters or more; else a scan of the users.
    """
    pattern = "%" + text.strip().replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
    async with connection.cursor(row_factory=class_row(FoundUser)) as cursor:
        await cursor.execute(
            """
            SELECT u.id, u.user_id, u.email, u.full_name, u.business_name, u.is_admin, u.created_at, s.current_plan,
                   s.trial_status
              FROM public.users u
              LEFT JOIN LATERAL (SELECT * FROM public.user_subscriptions p WHERE p.user_id = u.id
                                  ORDER BY p.created_at, p.id LIMIT 1) s ON true
             WHERE lower(coalesce(u.full_name, '') || ' ' || coalesce(u.business_name, '') || ' '
                         || coalesce(u.email, '') || ' ' || u.user_id) LIKE lower(%(pattern)s)
               AND (%(after_at)s::timestamp IS NULL
                    OR (u.created_at, u.id) < (%(after_at)s::timestamp, %(after_id)s::uuid))
             ORDER BY u.created_at DESC, u.id DESC LIMIT %(limit)s
            """,
            {
                "pattern": pattern,
                "after_at": after[0] if after else None,
                "after_id": after[1] if after else None,
                "limit": limit,
            },
        )
        return await cursor.fetchall()
