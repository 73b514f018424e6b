"""The page commit: everything one page changes, in one statement, or nothing of it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final, LiteralString
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import class_row

from db.queries import plan_use, spending
from db.queries.sinks import SINKS, Sink
from db.queries.spending import Spend

SPENT = ("spent_providers", "spent_accounts", "spent_endpoints", "spent_calls", "spent_credits")


def _commit_into(sink: Sink) -> LiteralString:
    return f"""
WITH fence AS MATERIALIZED (
    SELECT t.id, t.job_table, t.job_id, t.tenant, t.epoch, t.deadline_at,
           CASE WHEN t.cancel_at IS NOT NULL THEN coalesce(t.cancel_reason, '') END AS cancelled
      FROM worker.tasks t
     WHERE t.id = %(task_id)s AND t.state = 'leased' AND t.token = %(token)s
       -- A fail-over may have lost the holder's pages before this one: then it may not go on from what it remembers.
       AND coalesce((SELECT k.seq FROM worker.checkpoints k WHERE k.task_id = t.id), 0) >= %(seq)s - 1
       FOR NO KEY UPDATE OF t),
job AS MATERIALIZED ({sink.job} WHERE j.status = 'processing' FOR NO KEY UPDATE OF j),
plan AS MATERIALIZED ({plan_use.LOCK}),
fresh AS MATERIALIZED (
    SELECT c.key, c.alias, c.doc, c.place
      FROM job, unnest(%(keys)s::text[], %(aliases)s::text[], %(docs)s::text[])
           WITH ORDINALITY AS c (key, alias, doc, place)
     WHERE NOT EXISTS (SELECT FROM worker.seen_creators s WHERE s.task_id = %(task_id)s AND s.key = c.key)),
chosen AS MATERIALIZED (
    SELECT key, alias, doc, place FROM fresh WHERE doc IS NOT NULL ORDER BY place
     LIMIT (SELECT greatest(least(target_results - processed_results, (SELECT o_left FROM plan)), 0) FROM job)),
counts AS MATERIALIZED (
    SELECT (SELECT count(*) FROM chosen)::integer AS stored,
           (SELECT count(*) FROM fresh WHERE doc IS NOT NULL) > (SELECT count(*) FROM chosen) AS cut,
           (SELECT count(*) FROM fresh WHERE doc IS NULL)::integer AS filtered,
           %(items)s - (SELECT count(*) FROM fresh)::integer AS duplicates),
page AS (
    INSERT INTO worker.pages (task_id, seq, epoch, word, cursor, items, stored, duplicates, filtered, dropped,
                              unreadable, credits, provider, endpoint)
    SELECT f.id, %(seq)s, f.epoch, %(word)s, %(cursor)s, %(items)s, c.stored, c.duplicates, c.filtered, %(dropped)s,
           %(unreadable)s, %(credits)s, %(provider)s, %(endpoint)s
      FROM fence f, job, counts c
    ON CONFLICT (task_id, seq) DO NOTHING
    RETURNING task_id),
seen AS (
    INSERT INTO worker.seen_creators (task_id, key)
    SELECT p.task_id, k.key
      FROM page p, (SELECT key FROM chosen UNION SELECT alias FROM chosen WHERE alias <> ''
                     UNION SELECT key FROM fresh WHERE doc IS NULL) AS k
    ON CONFLICT DO NOTHING),
stored AS ({sink.store}),
row AS ({sink.count}),
usage AS ({plan_use.COUNT}),
checkpoint AS (
    INSERT INTO worker.checkpoints AS k (task_id, seq, envelope)
    SELECT p.task_id, %(seq)s, (CASE WHEN c.cut THEN %(envelope_here)s ELSE %(envelope_next)s END)::text::jsonb
      FROM page p, counts c
    ON CONFLICT (task_id) DO UPDATE
       SET seq = excluded.seq, envelope = excluded.envelope, written_at = excluded.written_at),
lease AS (
    UPDATE worker.tasks t
       SET expires_at = clock_timestamp() + %(ttl)s, failures = 0, crashes = 0, waits = 0
      FROM page p WHERE t.id = p.task_id),
spent AS (
    INSERT INTO worker.spend (job_table, job_id, tenant, provider, account, endpoint, calls, credits)
    SELECT f.job_table, f.job_id, f.tenant, s.provider, s.account, s.endpoint, s.calls, s.credits
      FROM page, fence f,
           unnest(%(spent_providers)s::text[], %(spent_accounts)s::text[], %(spent_endpoints)s::text[],
                  %(spent_calls)s::integer[], %(spent_credits)s::bigint[])
               AS s (provider, account, endpoint, calls, credits)),
set_aside AS (
    INSERT INTO worker.quarantine (task_id, seq, provider, endpoint, adapter_version, reason, message, raw, cut, walk)
    SELECT p.task_id, %(seq)s, %(provider)s, %(endpoint)s, %(adapter_version)s, q.reason, q.message, q.raw,
           coalesce(q.cut, false), %(walk)s::text
      FROM page p,
           unnest(%(bad_reasons)s::text[], %(bad_messages)s::text[], %(bad_raws)s::text[], %(bad_cuts)s::boolean[])
               AS q (reason, message, raw, cut))
SELECT EXISTS (SELECT FROM fence) AS owned,
       EXISTS (SELECT FROM job) AS row_open,
       EXISTS (SELECT FROM page) AS page_new,
       (SELECT g.stored FROM worker.pages g JOIN fence f ON f.id = g.task_id AND f.epoch = g.epoch
         WHERE g.seq = %(seq)s) AS stored_before,
       c.stored, c.cut, c.duplicates, c.filtered,
       (SELECT o_left FROM plan) - CASE WHEN EXISTS (SELECT FROM page) THEN c.stored ELSE 0 END AS plan_left,
       (SELECT processed_results FROM job) AS results_before,
       (SELECT target_results FROM job) AS target_results,
       coalesce((SELECT timeout_at <= worker.utc_now() FROM job), false) AS overdue,
       (SELECT cancelled FROM fence) AS cancelled,
       ({plan_use.TELL})
       + (SELECT count({sink.tell}, 'items_quarantined', %(endpoint)s::text,
            jsonb_build_object('userId', job.user_id, 'provider', %(provider)s::text, 'endpoint', %(endpoint)s::text,
                               'page', %(seq)s, 'items', cardinality(%(bad_reasons)s::text[]),
                               'reason', (%(bad_reasons)s::text[])[1])))
          FROM page, job WHERE cardinality(%(bad_reasons)s::text[]) > 0) AS told
  FROM counts c
"""


_COMMITS: Final = {table: _commit_into(sink) for table, sink in SINKS.items()}


@dataclass(frozen=True, slots=True)
class PageWrite:
    """What one page wants to change. ``docs`` are creators as JSON text, ``keys`` their dedupe keys, in page order.

    A creator that the job's filters leave out has no document (None); its key is remembered all the same.
    """

    job_table: str
    task_id: int
    token: UUID
    seq: int
    word: str
    cursor: str
    cursor_shown: int
    items: int
    unreadable: int
    dropped: int
    credits: int
    keys: Sequence[str]
    aliases: Sequence[str]
    """A second dedupe key of each creator, "" where it has none."""
    docs: Sequence[str | None]
    envelope_here: str
    """The cursor envelope that asks for this page again, kept when the target cut it."""
    envelope_next: str
    ttl: timedelta
    provider: str
    endpoint: str
    adapter_version: int
    bad_reasons: Sequence[str]
    bad_messages: Sequence[str]
    bad_raws: Sequence[str]
    bad_cuts: Sequence[bool] = field(default_factory=list)
    """Whether each of these is not the whole item."""
    walk: str | None = None
    """The walk that asked for the page, as JSON text; kept beside unreadable items alone."""
    run_id: str | None = None
    unplanned: int = -1
    """Creators a month of a user of whom no plan is known; -1 is no limit."""
    spends: Sequence[Spend] = ()
    """The calls made for this page."""


@dataclass(frozen=True, slots=True)
class PageAnswer:
    """What the page changed. Nothing was written unless ``page_new``.

    ``stored_before`` is set when an earlier call with this ``seq`` and the same epoch had committed; ``cancelled`` is
    the reason for which somebody wants the job stopped.
    """

    owned: bool
    row_open: bool
    page_new: bool
    stored_before: int | None
    stored: int
    cut: bool
    duplicates: int
    filtered: int
    plan_left: int | None
    """Creators that the user's plan has left of this month after the page; None without a limit."""
    results_before: int | None
    target_results: int | None
    overdue: bool
    cancelled: str | None
    told: int
    """Events that the page raised."""


async def commit_page(connection: AsyncConnection[Any], page: PageWrite) -> PageAnswer:
    """Fence, ledger, creators, counters, cursor, dedupe keys, spend, quarantine and lease renewal, atomically.

    A creator already stored by the task is left out, and none is stored past the row's target or what the user's plan
    has left, which what is stored is counted against. A page that begins the user's month, or sets items aside,
    raises the event. One statement, hence one snapshot: exact because only the fence's holder writes a task's keys, and
    the row is locked before it is read. Not owned, too, when the page before this one is not in the ledger: a fail-over
    lost it, and it must be asked for again. Locks: task, row, then the user's ``user_usage``. Plan: primary keys and
    the index of ``user_usage.user_id``.

    Raises `psycopg.errors.LockNotAvailable` when somebody else holds the user's counter for a second.
    """
    async with connection.cursor(row_factory=class_row(PageAnswer)) as cursor:
        await cursor.execute(_COMMITS[page.job_table], parameters(page))
        answer = await cursor.fetchone()
        assert answer is not None  # noqa: S101 - counts always has one row
        return answer


def parameters(page: PageWrite) -> dict[str, Any]:
    """The page as the statement takes it: what was spent as one array a column."""
    values = {name: getattr(page, name) for name in PageWrite.__slots__}
    return values | dict(zip(SPENT, spending.columns(values.pop("spends")), strict=True))
