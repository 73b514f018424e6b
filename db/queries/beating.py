"""Heartbeats of leases and of processes."""

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from psycopg import Connection


def renew(connection: Connection, tasks: Sequence[int], tokens: Sequence[UUID], ttl: timedelta) -> set[UUID]:
    """Renew the leases a process holds, in one statement; give the tokens that are still good.

    A lease locked by its own page commit is being renewed anyway: it is skipped, and counts as good when its row still
    carries the token. Locks: tasks, skipping locked ones. Plan: primary keys; touches no indexed column.
    """
    rows = connection.execute(
        """
        WITH held AS MATERIALIZED (
            SELECT h.id, h.token FROM unnest(%(tasks)s::bigint[], %(tokens)s::uuid[]) AS h (id, token)),
        mine AS MATERIALIZED (
            SELECT t.id FROM held h JOIN worker.tasks t ON t.id = h.id
             WHERE t.state = 'leased' AND t.token = h.token
               FOR NO KEY UPDATE OF t SKIP LOCKED),
        renewed AS (
            UPDATE worker.tasks t SET expires_at = clock_timestamp() + %(ttl)s FROM mine m WHERE t.id = m.id)
        SELECT t.token FROM held h JOIN worker.tasks t ON t.id = h.id WHERE t.state = 'leased' AND t.token = h.token
        """,
        {"tasks": list(tasks), "tokens": list(tokens), "ttl": ttl},
    ).fetchall()
    return {token for (token,) in rows}


def tick(connection: Connection, process_id: str, kind: str, host: str, pid: int, slots: int, in_use: int) -> None:
    """Say that a process is alive and how busy it is. Locks: its own row."""
    connection.execute(
        """
        INSERT INTO worker.workers AS w (id, kind, host, pid, slots, in_use) VALUES (%s, %s, %s, %s, %s, %s)
        ON CONFLICT (id) DO UPDATE
           SET slots = excluded.slots, in_use = excluded.in_use, last_tick_at = clock_timestamp()
        """,
        (process_id, kind, host, pid, slots, in_use),
    )


def sign_off(connection: Connection, process_id: str) -> None:
    """Remove a process that ended cleanly. Locks: its own row."""
    connection.execute("DELETE FROM worker.workers WHERE id = %s", (process_id,))


def forget_silent(connection: Connection, older_than: timedelta) -> int:
    """Remove processes that have been silent for long; give how many. Locks: their rows."""
    return connection.execute(
        "DELETE FROM worker.workers WHERE last_tick_at < statement_timestamp() - %s", (older_than,)
    ).rowcount
