"""Users as the application makes them."""

from typing import Any

import psycopg

PARTS = ("user_subscriptions", "user_billing", "user_usage", "user_system_data")


def insert_user(connection: psycopg.Connection, user_id: str = "user_1", **parts: dict[str, Any]) -> str:
    """A user with a row in each table that is named; values that begin with ``sql:`` are expressions. Give its key."""
    (key,) = connection.execute(
        "INSERT INTO users (user_id, email, full_name) VALUES (%s, %s, %s) RETURNING id::text",
        (user_id, f"{user_id}@example.com", f"Name of {user_id}"),
    ).fetchone()
    for table, values in parts.items():
        assert table in PARTS or table == "users", table
        if table == "users":
            set_row(connection, "users", "id", key, values)
            continue
        connection.execute(f"INSERT INTO {table} (user_id) VALUES (%s)".encode(), (key,))
        set_row(connection, table, "user_id", key, values)
    return key


def set_row(connection: psycopg.Connection, table: str, column: str, key: str, values: dict[str, Any]) -> None:
    for name, value in values.items():
        expression = isinstance(value, str) and value.startswith("sql:")
        place = value.removeprefix("sql:") if expression else "%s"
        parameters = (key,) if expression else (value, key)
        connection.execute(f"UPDATE {table} SET {name} = {place} WHERE {column} = %s::uuid".encode(), parameters)


def part(connection: psycopg.Connection, table: str, user_id: str = "user_1") -> dict[str, Any]:
    """The one row of a user in a table."""
    column = "user_id" if table == "users" else "(SELECT user_id FROM users u WHERE u.id = t.user_id)"
    with connection.cursor(row_factory=psycopg.rows.dict_row) as cursor:
        rows = cursor.execute(f"SELECT t.* FROM {table} t WHERE {column} = %s".encode(), (user_id,)).fetchall()
    assert len(rows) == 1, rows
    return rows[0]
