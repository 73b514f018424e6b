"""Rows and tasks that cannot be.

The engine's own tables are read through their indexes. The application's rows are read as a sample of at most
``SAMPLE_PAGES`` disk pages a table, which is all of it until it is large.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from psycopg import Connection
from psycopg.rows import dict_row

SAMPLE_PAGES = 5000
"""40 MB of a table: read in a fraction of a second."""
MANY = 1000
"""Rows that are counted; more are told as "1000 or more"."""


def counted(connection: Connection, condition: str, *parameters: Any) -> tuple[int, list[str]]:
    """How many tasks meet a condition (a constant of the caller), up to ``MANY``, and five of their jobs.

    Plan: the partial index of the state that the condition names, so ended tasks are not read.
    """
    row = connection.execute(
        f"""
        SELECT count(*), (array_agg(q.job_id))[1:5]
          FROM (SELECT t.job_id FROM worker.tasks t WHERE {condition} LIMIT {MANY}) q
        """.encode(),
        parameters,
    ).fetchone()
    assert row is not None  # noqa: S101 - an aggregate gives one row
    return row[0], row[1] or []


def parked_tasks(connection: Connection) -> tuple[int, list[str]]:
    """Tasks that killed their workers, among the 10,000 that ended last. Plan: ``tasks_closed``, backwards."""
    row = connection.execute(
        """
        SELECT count(*), (array_agg(q.job_id))[1:5]
          FROM (SELECT t.job_id, t.state FROM worker.tasks t WHERE t.state IN ('closed', 'parked')
                 ORDER BY t.closed_at DESC LIMIT 10000) q
         WHERE q.state = 'parked'
        """
    ).fetchone()
    assert row is not None  # noqa: S101 - an aggregate gives one row
    return row[0], row[1] or []


def jobs_nobody_serves(connection: Connection, lanes: Sequence[str]) -> list[tuple[str, int, list[str]]]:
    """Job types of waiting background jobs outside ``lanes``: how many each, and three of their ids.

    Bound: ``MANY`` open tasks, then rows by primary key.
    """
    return connection.execute(
        f"""
        SELECT b.job_type, count(*), (array_agg(q.job_id))[1:3]
          FROM (SELECT t.job_id FROM worker.tasks t
                 WHERE (t.state = 'ready' OR t.state = 'waiting') AND t.job_table = 'background_jobs'
                   AND t.lane <> ALL (%s) LIMIT {MANY}) q
          JOIN public.background_jobs b ON b.id = q.job_id::uuid
         GROUP BY b.job_type ORDER BY b.job_type
        """.encode(),
        (list(lanes),),
    ).fetchall()


def tasks_without_row(connection: Connection) -> tuple[int, list[str]]:
    """Open tasks whose row is gone. Bound: ``MANY`` open tasks, then rows by primary key."""
    row = connection.execute(
        f"""
        SELECT count(*), (array_agg(q.job_id))[1:5]
          FROM (SELECT t.job_table, t.job_id FROM worker.tasks t
                 WHERE t.state = 'ready' OR t.state = 'waiting' OR t.state = 'leased' LIMIT {MANY}) q
         WHERE NOT EXISTS (SELECT FROM public.scraping_jobs j
                            WHERE q.job_table = 'scraping_jobs' AND j.id = q.job_id::uuid)
           AND NOT EXISTS (SELECT FROM public.background_jobs b
                            WHERE q.job_table = 'background_jobs' AND b.id = q.job_id::uuid)
           AND (q.job_table <> 'search_jobs' OR worker.search_row(q.job_id::uuid) IS NULL)
        """.encode()
    ).fetchone()
    assert row is not None  # noqa: S101 - an aggregate gives one row
    return row[0], row[1] or []


@dataclass(frozen=True, slots=True)
class Sample:
    """What a sample of one job table shows: how much was read, and per problem a number and five ids."""

    percent: float
    problems: dict[str, tuple[int, list[str]]]
    late: int
    """Rows with a task that was adopted half an hour or more before or after ``created_at``."""
    foreign: list[str]


_NO_TASK = "(t.state IS NULL OR t.state IN ('closed', 'parked'))"
_OFF = "extract(epoch FROM t.adopted_at - {created})"


def sample_rows(
    connection: Connection, table: str, types: dict[str, str], known: Sequence[str], pending_for: timedelta
) -> Sample:
    """Look for rows of a job table that cannot be, in one pass.

    Bound: ``SAMPLE_PAGES`` pages of the table, picked at random where it has more, and one probe of ``worker.tasks`` a
    row. A task is adopted as its row is inserted, so whole hours between the two are a zone's.
    """

    def utc(column: str) -> str:
        return f"s.{column}" + (" AT TIME ZONE 'UTC'" if types.get(column) == "timestamp" else "")

    created = utc("created_at")
    off = _OFF.format(created=created)
    since = f"greatest({created}, {utc('updated_at')})"
    key = "worker.search_key(s.id)::text" if table == "search_jobs" else "s.id::text"
    if table == "background_jobs":
        since = f"greatest({since}, {utc('scheduled_for')})"
    problems = {
        "orphaned": f"s.status = 'processing' AND {_NO_TASK}",
        "unadopted": f"s.status IN ('pending', 'queued') AND {_NO_TASK}"
        f" AND {since} < clock_timestamp() - %(pending_for)s",
        "progress": "s.status = 'completed' AND coalesce(s.progress, 0) < 100" if table == "scraping_jobs" else "false",
        "off_hours": f"{created} > clock_timestamp() + interval '2 min'"
        f" OR abs({off}) > 1700 AND abs({off} - 1800 * round({off} / 1800)) < 60",
    }
    columns = ", ".join(
        f"count(*) FILTER (WHERE {sql}), (array_agg(s.id::text) FILTER (WHERE {sql}))[1:5]" for sql in problems.values()
    )
    pages = connection.execute(
        "SELECT pg_relation_size(%s::regclass) / current_setting('block_size')::integer", (f"public.{table}",)
    ).fetchone()
    percent = min(100.0, 100.0 * SAMPLE_PAGES / max(pages[0] if pages else 0, 1))
    row = connection.execute(
        f"""
        SELECT count(*) FILTER (WHERE {created} > clock_timestamp() + interval '2 min' OR abs({off}) > 1700),
               array_agg(DISTINCT s.status::text) FILTER (WHERE NOT s.status = ANY (%(known)s)), {columns}
          FROM public.{table} s TABLESAMPLE SYSTEM (%(percent)s)
          LEFT JOIN worker.tasks t ON t.job_table = %(table)s AND t.job_id = {key}
        """.encode(),
        {"known": list(known), "percent": percent, "table": table, "pending_for": pending_for},
    ).fetchone()
    assert row is not None  # noqa: S101 - an aggregate gives one row
    found = {code: (row[2 + 2 * place], row[3 + 2 * place] or []) for place, code in enumerate(problems)}
    return Sample(percent, found, row[0], row[1] or [])


def unequal_results(connection: Connection) -> list[dict[str, Any]] | None:
    """Jobs whose ``processed_results`` is not what their batches hold; None where it would cost too much to know.

    Bound: the 20 newest ended and 20 running jobs of ours with at most 200 pages each, and only where an index of
    ``scraping_results`` begins with ``job_id``.
    """
    index = connection.execute(
        """
        SELECT FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
         WHERE i.indrelid = 'public.scraping_results'::regclass AND a.attname = 'job_id' AND i.indpred IS NULL
        """
    ).fetchone()
    if index is None:
        return None
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(
            """
            WITH picked AS MATERIALIZED (
                (SELECT t.job_id FROM worker.tasks t
                  WHERE t.job_table = 'scraping_jobs' AND t.state IN ('closed', 'parked')
                  ORDER BY t.closed_at DESC LIMIT 20)
                UNION ALL
                (SELECT t.job_id FROM worker.tasks t
                  WHERE t.job_table = 'scraping_jobs' AND t.state = 'leased' LIMIT 20))
            SELECT j.id::text AS job_id, j.processed_results AS said, r.stored
              FROM picked p JOIN public.scraping_jobs j ON j.id = p.job_id::uuid
             CROSS JOIN LATERAL (
                   SELECT coalesce(sum(CASE WHEN jsonb_typeof(r.creators) = 'array'
                                            THEN jsonb_array_length(r.creators) END), 0)::integer AS stored
                     FROM public.scraping_results r WHERE r.job_id = j.id) r
             WHERE j.processed_runs <= 200 AND r.stored <> j.processed_results
            """
        ).fetchall()
