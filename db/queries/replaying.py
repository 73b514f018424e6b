"""Items that could not be read, put where they belong now that they can be."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import Connection
from psycopg.rows import class_row

from db.queries.quarantining import CHOSEN, SETTLED, Choice


@dataclass(frozen=True, slots=True)
class HeldJob:
    """The application's row of a locked task."""

    platform: str
    keywords: Any
    target_username: str | None
    region: str
    search_params: Any
    target_results: int
    processed_results: int


def hold(connection: Connection, task_id: int) -> HeldJob | str:
    """Lock a task that nobody works on and its row, for the transaction; else a word that says why not.

    ``running`` while a worker has the lease: only its holder may write the task's keys. Locks: task, then row.
    Raises `psycopg.errors.LockNotAvailable` when one stays locked for five seconds.
    """
    connection.execute("SET LOCAL lock_timeout = '5s'")
    # A statement of its own: what is read afterwards is read with the lock held.
    task = connection.execute(
        "SELECT job_id, state FROM worker.tasks WHERE id = %s FOR NO KEY UPDATE", (task_id,)
    ).fetchone()
    if task is None:
        return "gone"
    job_id, state = task
    if state == "leased":
        return "running"
    with connection.cursor(row_factory=class_row(HeldJob)) as cursor:
        row = cursor.execute(
            """
            SELECT platform, keywords, target_username, region, search_params, target_results, processed_results
              FROM public.scraping_jobs WHERE id = %s::uuid FOR NO KEY UPDATE
            """,
            (job_id,),
        ).fetchone()
    return row or "gone"


@dataclass(frozen=True, slots=True)
class SetAside:
    """One item as it was set aside, with what is known of its page."""

    id: int
    page: int
    provider: str
    endpoint: str
    raw: str
    cut: bool
    found_at: datetime
    walk: str | None
    word: str
    cursor: str


def items_after(connection: Connection, task_id: int, choice: Choice, after: int, limit: int) -> list[SetAside]:
    """A task's items that are not settled, oldest first, from beyond an id. Call it with the task held."""
    with connection.cursor(row_factory=class_row(SetAside)) as cursor:
        return cursor.execute(
            f"""
            SELECT q.id, q.seq AS page, q.provider, q.endpoint, q.raw, q.cut, q.found_at, q.walk,
                   coalesce(p.word, '') AS word, coalesce(p.cursor, '') AS cursor
              FROM worker.quarantine q
              JOIN worker.tasks t ON t.id = q.task_id
              LEFT JOIN worker.pages p ON p.task_id = q.task_id AND p.seq = q.seq
             WHERE {CHOSEN} AND (q.verdict IS NULL OR q.verdict <> ALL (%(settled)s))
               AND q.task_id = %(task_id)s AND q.id > %(after)s
             ORDER BY q.id
             LIMIT %(limit)s
            """,
            {**choice.values, "settled": list(SETTLED), "task_id": task_id, "after": after, "limit": limit},
        ).fetchall()


def known_keys(connection: Connection, task_id: int, keys: Sequence[str]) -> set[str]:
    """Which of these keys the task has stored already. Call it with the task held. Plan: primary key probes."""
    return {
        key
        for (key,) in connection.execute(
            "SELECT key FROM worker.seen_creators WHERE task_id = %s AND key = ANY (%s)", (task_id, list(keys))
        )
    }


def kept_profiles(connection: Connection, platform: str, creator_ids: Sequence[str]) -> dict[str, str]:
    """Profiles of any age, as JSON text by creator id. No locks. Plan: primary key probes."""
    return dict(
        connection.execute(
            """
            SELECT creator_id, profile::text FROM worker.creator_profiles
             WHERE platform = %s AND creator_id = ANY (%s)
            """,
            (platform, list(creator_ids)),
        ).fetchall()
    )


def put_back(
    connection: Connection,
    task_id: int,
    verdicts: Sequence[tuple[int, int, str]],
    docs: Sequence[str],
    keys: Sequence[str],
) -> None:
    """Write what a replay found: verdicts (item, page, verdict), creators as JSON text, and their dedupe keys.

    One statement: the creators are a batch of their own, the row and the ledger's pages count them. Call it with the
    task held. Plan: primary keys.
    """
    connection.execute(
        """
        WITH told AS MATERIALIZED (
            SELECT v.id, v.seq, v.verdict
              FROM unnest(%(ids)s::bigint[], %(pages)s::integer[], %(verdicts)s::text[]) AS v (id, seq, verdict)),
        marked AS (
            UPDATE worker.quarantine q SET replayed_at = clock_timestamp(), verdict = v.verdict
              FROM told v WHERE q.id = v.id AND q.task_id = %(task_id)s),
        page AS (
            UPDATE worker.pages p
               SET unreadable = p.unreadable - n.settled, items = p.items + n.settled - n.dropped,
                   stored = p.stored + n.stored, duplicates = p.duplicates + n.duplicates,
                   filtered = p.filtered + n.filtered, dropped = p.dropped + n.dropped
              FROM (SELECT seq, count(*) FILTER (WHERE verdict = ANY (%(settled)s)) AS settled,
                           count(*) FILTER (WHERE verdict = 'stored') AS stored,
                           count(*) FILTER (WHERE verdict = 'duplicate') AS duplicates,
                           count(*) FILTER (WHERE verdict = 'filtered') AS filtered,
                           count(*) FILTER (WHERE verdict = 'dropped') AS dropped
                      FROM told GROUP BY seq) AS n
             WHERE p.task_id = %(task_id)s AND p.seq = n.seq AND n.settled > 0),
        seen AS (
            INSERT INTO worker.seen_creators (task_id, key) SELECT %(task_id)s, unnest(%(keys)s::text[])
            ON CONFLICT DO NOTHING),
        row AS (
            UPDATE public.scraping_jobs j
               SET processed_results = j.processed_results + %(count)s, updated_at = worker.utc_now(),
                   progress = CASE WHEN j.status = 'completed' THEN j.progress
                                   ELSE greatest(coalesce(j.progress, 0), least(99, round(100.0
                                        * (j.processed_results + %(count)s) / greatest(j.target_results, 1), 2))) END
              FROM worker.tasks t
             WHERE t.id = %(task_id)s AND j.id = t.job_id::uuid AND %(count)s > 0
            RETURNING j.id)
        INSERT INTO public.scraping_results (job_id, creators, created_at)
        SELECT row.id,
               (SELECT jsonb_agg(d.doc::jsonb ORDER BY d.place)
                  FROM unnest(%(docs)s::text[]) WITH ORDINALITY AS d (doc, place)), worker.utc_now()
          FROM row
        """,
        {
            "task_id": task_id,
            "ids": [item for item, _, _ in verdicts],
            "pages": [page for _, page, _ in verdicts],
            "verdicts": [verdict for _, _, verdict in verdicts],
            "settled": list(SETTLED),
            "keys": list(keys),
            "docs": list(docs),
            "count": len(docs),
        },
    )
