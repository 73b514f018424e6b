"""Items that could not be read, put where they belong now that they can be."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, LiteralString

from psycopg import Connection
from psycopg.rows import class_row

from db.queries import plan_use
from db.queries.quarantining import CHOSEN, SETTLED, Choice
from db.queries.searching import QUESTION
from db.queries.sinks import SINKS, Sink


@dataclass(frozen=True, slots=True)
class HeldJob:
    """The application's row of a locked task."""

    job_table: str
    user_id: str | None
    platform: str
    keywords: Any
    target_username: str | None
    region: str
    search_params: Any
    target_results: int
    processed_results: int


_HELD: Final[dict[str, LiteralString]] = {
    "scraping_jobs": """
        SELECT 'scraping_jobs' AS job_table, j.user_id, j.platform, j.keywords, j.target_username, j.region,
               j.search_params, j.target_results, j.processed_results
          FROM public.scraping_jobs j WHERE j.id = %s::uuid FOR NO KEY UPDATE
    """,
    "search_jobs": f"""
        SELECT 'search_jobs' AS job_table, coalesce(w.user_id, c.user_id) AS user_id, {QUESTION}
          FROM worker.searches w
          JOIN public.search_jobs j ON j.id = w.job_id
          LEFT JOIN public.campaigns c ON c.id = j.campaign_id
         WHERE w.key = %s::uuid FOR NO KEY UPDATE OF j
    """,
}


def hold(connection: Connection, task_id: int) -> HeldJob | str:
    """Lock a task that nobody works on and its row, for the transaction; else a word that says why not.

    ``running`` while a worker has the lease: only its holder may write the task's keys. Locks: task, then row.
    Raises `psycopg.errors.LockNotAvailable` when one stays locked for five seconds.
    """
    connection.execute("SET LOCAL lock_timeout = '5s'")
    # A statement of its own: what is read afterwards is read with the lock held.
    task = connection.execute(
        "SELECT job_table, job_id, state FROM worker.tasks WHERE id = %s FOR NO KEY UPDATE", (task_id,)
    ).fetchone()
    if task is None:
        return "gone"
    job_table, job_id, state = task
    if state == "leased":
        return "running"
    with connection.cursor(row_factory=class_row(HeldJob)) as cursor:
        row = cursor.execute(_HELD[job_table], (job_id,)).fetchone()
    return row or "gone"


def plan_left(connection: Connection, user_id: str | None, unplanned: int) -> int | None:
    """Creators that the user's plan has left of this month, its counter locked; None without a limit.

    Call it with the job held, as the page commit takes its locks in this order too. Locks: the user's ``user_usage``.
    Raises `psycopg.errors.LockNotAvailable` when it stays locked for a second.
    """
    row = connection.execute("SELECT o_left FROM worker.lock_plan(%s, %s)", (user_id, unplanned)).fetchone()
    return row[0] if row else None


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


def _put_back_into(sink: Sink) -> LiteralString:
    return f"""
        WITH fence AS MATERIALIZED (
            SELECT t.id, t.job_id, t.deadline_at FROM worker.tasks t WHERE t.id = %(task_id)s),
        job AS MATERIALIZED ({sink.job}),
        plan AS MATERIALIZED ({plan_use.LOCK}),
        told AS MATERIALIZED (
            SELECT v.id, v.seq, v.verdict
              FROM unnest(%(ids)s::bigint[], %(pages)s::integer[], %(verdicts)s::text[]) AS v (id, seq, verdict)),
        marked AS (
            UPDATE worker.quarantine q SET replayed_at = clock_timestamp(), verdict = v.verdict
              FROM told v WHERE q.id = v.id AND q.task_id = %(task_id)s),
        ledger AS (
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
        chosen AS MATERIALIZED (
            SELECT d.key, d.doc, d.place
              FROM unnest(%(doc_keys)s::text[], %(docs)s::text[]) WITH ORDINALITY AS d (key, doc, place)),
        counts AS MATERIALIZED (SELECT count(*)::integer AS stored FROM chosen),
        page AS MATERIALIZED (SELECT FROM counts WHERE stored > 0),
        stored AS ({sink.store}),
        row AS ({sink.add}),
        usage AS ({plan_use.COUNT})
        {plan_use.TELL}
    """


_PUT_BACK: Final = {table: _put_back_into(sink) for table, sink in SINKS.items()}


def put_back(
    connection: Connection,
    task_id: int,
    job_table: str,
    verdicts: Sequence[tuple[int, int, str]],
    docs: Sequence[tuple[str, str]],
    keys: Sequence[str],
    unplanned: int,
) -> None:
    """Write what a replay found: verdicts (item, page, verdict), creators (key, JSON text), and their dedupe keys.

    One statement: the creators are stored as a page's are, and the row, the ledger's pages and the user's plan count
    them. Call it with the task held. Plan: primary keys and the index of ``user_usage.user_id``.
    """
    connection.execute(
        _PUT_BACK[job_table],
        {
            "task_id": task_id,
            "unplanned": unplanned,
            "ids": [item for item, _, _ in verdicts],
            "pages": [page for _, page, _ in verdicts],
            "verdicts": [verdict for _, _, verdict in verdicts],
            "settled": list(SETTLED),
            "keys": list(keys),
            "doc_keys": [key for key, _ in docs],
            "docs": [doc for _, doc in docs],
        },
    )
