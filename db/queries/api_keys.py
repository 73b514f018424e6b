"""Idempotency keys of many jobs at once, and beside each key what it was used with."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from psycopg import Connection


@dataclass(frozen=True, slots=True)
class Known:
    """The job that a key names, and whether it was put in by the same request."""

    job_id: str
    same_request: bool


def take_keys(connection: Connection, job_table: str, keys: Sequence[str]) -> set[str]:
    """Take keys in the caller's transaction, for jobs that it names later; give those that were free.

    Waits for transactions that are just taking one. Locks: the new rows, in the order of keys, so that two that take
    the same ones do not wait for each other.
    """
    rows = connection.execute(
        """
        INSERT INTO worker.enqueue_keys (key, job_table, job_id)
        SELECT key, %s, '' FROM unnest(%s::text[]) AS u (key) ORDER BY key
        ON CONFLICT (key) DO NOTHING
        RETURNING key
        """,
        (job_table, list(keys)),
    ).fetchall()
    return {key for (key,) in rows}


def name_jobs(connection: Connection, jobs: Mapping[str, str], marks: Mapping[str, str]) -> None:
    """Say which job each key, taken in this transaction, is for, and with which request it was used.

    ``marks`` is by key too, and may leave some out; a mark is kept and pruned as a key is. Locks: the rows of the keys,
    the new rows.
    """
    connection.execute(
        """
        WITH named AS (SELECT * FROM unnest(%s::text[], %s::text[], %s::text[]) AS u (key, job_id, mark)),
        told AS (
            UPDATE worker.enqueue_keys k SET job_id = n.job_id FROM named n WHERE k.key = n.key
            RETURNING k.job_table, n.job_id, n.mark)
        INSERT INTO worker.enqueue_keys (key, job_table, job_id)
        SELECT mark, job_table, job_id FROM told WHERE mark IS NOT NULL ON CONFLICT (key) DO NOTHING
        """,
        (list(jobs), list(jobs.values()), [marks.get(key) for key in jobs]),
    )


def known_jobs(connection: Connection, marks: Mapping[str, str]) -> dict[str, Known]:
    """What keys name, by key; ``marks`` are what they would be used with now. No locks. Plan: primary key."""
    rows = connection.execute(
        """
        SELECT k.key, k.job_id,
               EXISTS (SELECT FROM worker.enqueue_keys m WHERE m.key = u.mark AND m.job_id = k.job_id)
          FROM unnest(%s::text[], %s::text[]) AS u (key, mark) JOIN worker.enqueue_keys k ON k.key = u.key
        """,
        (list(marks), list(marks.values())),
    ).fetchall()
    return {key: Known(job_id, same) for key, job_id, same in rows}


def campaigns_among(connection: Connection, ids: Sequence[UUID]) -> set[UUID]:
    """Those of the ids that are campaigns. No locks. Plan: primary key."""
    if not ids:
        return set()
    rows = connection.execute("SELECT id FROM public.campaigns WHERE id = ANY (%s)", (list(ids),)).fetchall()
    return {campaign for (campaign,) in rows}
