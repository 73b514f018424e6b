"""Retention: what the engine's own tables forget, and when. The application's tables are never written."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from psycopg import Connection

from db.queries import pruning

KEPT_ATTEMPTS = 20
"""Newest attempts of an open task that stay however old they are, so that its story can be told."""
_EARLIEST = datetime(1, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Pruned:
    """Rows deleted, by table; what hung on the tasks (checkpoint, pages, seen creators, attempts) is not counted."""

    tasks: int
    attempts: int
    enqueue_keys: int
    creator_profiles: int
    tenant_turns: int
    searches: int


def prune(
    connection: Connection,
    *,
    closed_after: timedelta,
    attempts_after: timedelta,
    keys_after: timedelta,
    profiles_after: timedelta,
    batch: int,
    most_batches: int,
) -> Pruned:
    """Delete what is older than the ages given, at most ``batch`` rows a statement and ``most_batches`` a table.

    A closed task goes ``closed_after`` its end when its row is final or gone; a job retried after that starts without
    its checkpoint, so the age must outlast every retry. A parked task goes when its row is gone. Open tasks stay; of
    their attempts those older than ``attempts_after`` go, save the newest 20 of each. Turns of tenants without open
    tasks go ``closed_after`` they were last served, and what a search asked for once its row and task are gone. A task
    takes some thousand rows along: keep ``batch`` in the hundreds. The connection is in autocommit, so that each
    statement is a transaction of its own; any number of processes may prune at once.
    """
    return Pruned(
        tasks=_closed_tasks(connection, closed_after, batch, most_batches),
        attempts=_in_batches(
            lambda: pruning.delete_attempts(connection, attempts_after, KEPT_ATTEMPTS, batch), batch, most_batches
        ),
        enqueue_keys=_in_batches(lambda: pruning.delete_keys(connection, keys_after, batch), batch, most_batches),
        creator_profiles=_in_batches(
            lambda: pruning.delete_profiles(connection, profiles_after, batch), batch, most_batches
        ),
        tenant_turns=_in_batches(lambda: pruning.delete_turns(connection, closed_after, batch), batch, most_batches),
        searches=_in_batches(lambda: pruning.delete_searches(connection, closed_after, batch), batch, most_batches),
    )


def _closed_tasks(connection: Connection, age: timedelta, batch: int, most_batches: int) -> int:
    since = _EARLIEST

    def delete() -> int:
        # Tasks that stay, parked ones above all, are passed once a run and not once a batch.
        nonlocal since
        count, newest = pruning.delete_closed(connection, age, since, batch)
        since = newest or since
        return count

    return _in_batches(delete, batch, most_batches)


def _in_batches(delete: Callable[[], int], batch: int, most_batches: int) -> int:
    total = 0
    for _ in range(most_batches):
        count = delete()
        total += count
        if count < batch:
            break
    return total
