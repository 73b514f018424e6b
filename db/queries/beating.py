"""Heartbeats of leases and of processes."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from psycopg import Connection
from psycopg.rows import class_row


@dataclass(frozen=True, slots=True)
class Renewed:
    """One lease that is still good, and the reason for which somebody wants its job stopped, if so."""

    token: UUID
    cancelled: str | None


def renew(connection: Connection, tasks: Sequence[int], tokens: Sequence[UUID], ttl: timedelta) -> list[Renewed]:
    """Renew the leases a process holds, in one statement; give those that are still good.

    A lease locked by its own page commit is being renewed anyway: it is skipped, and counts as good when its row still
    carries the token. Locks: tasks, skipping locked ones. Plan: primary keys; touches no indexed column.
    """
    with connection.cursor(row_factory=class_row(Renewed)) as cursor:
        return cursor.execute(
            """
            WITH held AS MATERIALIZED (
                SELECT h.id, h.token FROM unnest(%(tasks)s::bigint[], %(tokens)s::uuid[]) AS h (id, token)),
            mine AS MATERIALIZED (
                SELECT t.id FROM held h JOIN worker.tasks t ON t.id = h.id
                 WHERE t.state = 'leased' AND t.token = h.token
                   FOR NO KEY UPDATE OF t SKIP LOCKED),
            renewed AS (
                UPDATE worker.tasks t SET expires_at = clock_timestamp() + %(ttl)s FROM mine m WHERE t.id = m.id)
            SELECT t.token, CASE WHEN t.cancel_at IS NOT NULL THEN coalesce(t.cancel_reason, '') END AS cancelled
              FROM held h JOIN worker.tasks t ON t.id = h.id
             WHERE t.state = 'leased' AND t.token = h.token
            """,
            {"tasks": list(tasks), "tokens": list(tokens), "ttl": ttl},
        ).fetchall()


@dataclass(frozen=True, slots=True)
class Sign:
    """What a process tells of itself at each beat. ``polling`` means that it does without Redis."""

    id: str
    kind: str
    host: str
    pid: int
    slots: int
    in_use: int
    rss_mb: int
    release: str
    polling: bool


def tick(connection: Connection, sign: Sign) -> None:
    """Say that a process is alive and how it is. Locks: its own row."""
    connection.execute(
        """
        INSERT INTO worker.workers AS w (id, kind, host, pid, slots, in_use, rss_mb, release, polling)
        VALUES (%(id)s, %(kind)s, %(host)s, %(pid)s, %(slots)s, %(in_use)s, %(rss_mb)s, %(release)s, %(polling)s)
        ON CONFLICT (id) DO UPDATE
           SET slots = excluded.slots, in_use = excluded.in_use, rss_mb = excluded.rss_mb, polling = excluded.polling,
               last_tick_at = clock_timestamp()
        """,
        {name: getattr(sign, name) for name in Sign.__slots__},
    )


def sign_off(connection: Connection, process_id: str) -> None:
    """Remove a process that ended cleanly. Locks: its own row."""
    connection.execute("DELETE FROM worker.workers WHERE id = %s", (process_id,))


def forget_silent(connection: Connection, older_than: timedelta) -> int:
    """Remove processes that have been silent for long; give how many. Locks: their rows."""
    return connection.execute(
        "DELETE FROM worker.workers WHERE last_tick_at < statement_timestamp() - %s", (older_than,)
    ).rowcount
