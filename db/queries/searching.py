"""Searches: rows of ``search_jobs``, whose results are a row a creator, and what they ask for."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, LiteralString

from psycopg import AsyncConnection, Connection
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from db.queries.claiming import ScrapingWork

QUESTION: Final[LiteralString] = """
    j.platform, CASE WHEN j.search_type NOT ILIKE '%%similar%%' THEN w.keywords END AS keywords,
    CASE WHEN j.search_type ILIKE '%%similar%%' THEN w.target_username END AS target_username,
    coalesce(w.region, 'US') AS region,
    CASE coalesce(jsonb_typeof(w.search_params), 'null')
         WHEN 'null' THEN '{"dedupe": "creator"}'
         WHEN 'object' THEN w.search_params || '{"dedupe": "creator"}'
         ELSE w.search_params END AS search_params,
    j.total_count AS target_results, j.completed_count AS processed_results
"""
"""What a search asks for, of its row ``j`` and ``worker.searches`` as ``w``, under the names of a scraping job.

A ``similar`` search has the target alone, any other the words alone. A profile is stored once, whatever is asked.
"""


async def load_search_work(connection: AsyncConnection[Any], task_id: int, unplanned: int = -1) -> ScrapingWork | None:
    """The row, what it asks for, and the checkpoint of a task; None when the application deleted the row.

    ``unplanned`` is the limit of a user of whom no plan is known, -1 for none. No locks. Plan: primary keys,
    ``spend_job``, and the index of ``user_usage.user_id``.
    """
    async with connection.cursor(row_factory=class_row(ScrapingWork)) as cursor:
        await cursor.execute(
            f"""
            SELECT j.status, {QUESTION}, coalesce(c.seq, 0) AS processed_runs, t.deadline_at,
                   coalesce(c.seq, 0) AS seq, c.envelope,
                   coalesce((SELECT sum(p.calls) FROM worker.spend p WHERE p.job_id = t.job_id), 0)::integer AS calls,
                   (SELECT p.o_left FROM worker.plan_of(coalesce(w.user_id, g.user_id), %s) AS p) AS plan_left
              FROM worker.tasks t
              JOIN worker.searches w ON w.key = t.job_id::uuid
              JOIN public.search_jobs j ON j.id = w.job_id
              LEFT JOIN public.campaigns g ON g.id = j.campaign_id
              LEFT JOIN worker.checkpoints c ON c.task_id = t.id
             WHERE t.id = %s
            """,
            (unplanned, task_id),
        )
        return await cursor.fetchone()


async def borrow_question(connection: AsyncConnection[Any], task_id: int) -> bool:
    """Give a search that asks for nothing what its campaign's newest scraping job of the platform and kind asks for.

    Gives whether there was one. Locks: the search's own row. Plan: the campaign's jobs, by a scan where the application
    has no index; so it runs once a search.
    """
    cursor = await connection.execute(
        """
        UPDATE worker.searches w
           SET keywords = f.keywords, target_username = f.target_username, region = f.region,
               search_params = coalesce(w.search_params, f.search_params)
          FROM worker.tasks t, public.search_jobs s
         CROSS JOIN LATERAL (
               SELECT j.keywords, j.target_username, j.region, j.search_params
                 FROM public.scraping_jobs j
                WHERE j.campaign_id = s.campaign_id AND lower(btrim(j.platform)) = lower(btrim(s.platform))
                  AND CASE WHEN s.search_type ILIKE '%%similar%%' THEN j.target_username IS NOT NULL
                           ELSE j.target_username IS NULL AND j.keywords IS NOT NULL END
                ORDER BY j.created_at DESC, j.id LIMIT 1) f
         WHERE t.id = %s AND w.key = t.job_id::uuid AND s.id = w.job_id
           AND w.keywords IS NULL AND w.target_username IS NULL
        """,
        (task_id,),
    )
    return cursor.rowcount > 0


async def search_id(connection: AsyncConnection[Any], job_id: str) -> str | None:
    """The application's id of the search that the engine knows by this one. No locks. Plan: the unique key."""
    cursor = await connection.execute("SELECT job_id FROM worker.searches WHERE key = %s::uuid", (job_id,))
    row = await cursor.fetchone()
    return row[0] if row else None


def key_of(connection: Connection, search: str) -> str:
    """The UUID by which the engine knows a search of this id. No locks."""
    row = connection.execute("SELECT worker.search_key(%s)::text", (search,)).fetchone()
    assert row is not None  # noqa: S101 - a SELECT without FROM gives one row
    key: str = row[0]
    return key


@dataclass(frozen=True, slots=True)
class NewSearch:
    """What a service wants searched. ``total_count`` is how many creators."""

    id: str
    platform: str
    total_count: int
    keywords: Sequence[str] | None
    target_username: str | None
    campaign_id: str | None
    user_id: str | None
    region: str | None
    search_params: Mapping[str, Any] | None


def insert_search(connection: Connection, search: NewSearch) -> bool:
    """Put a search in, with what it asks for; False when there is one of this id, which stays as it is.

    The trigger tells adoption of it. Locks: the new rows. Plan: primary keys.
    """
    return (
        connection.execute(
            """
            WITH row AS (
                INSERT INTO public.search_jobs (id, campaign_id, platform, search_type, total_count, created_at,
                                                updated_at)
                VALUES (%(id)s, %(campaign_id)s, %(platform)s,
                        CASE WHEN %(target_username)s::text IS NULL THEN 'keyword' ELSE 'similar' END,
                        %(total_count)s, worker.utc_now(), worker.utc_now())
                ON CONFLICT (id) DO NOTHING
                RETURNING id)
            INSERT INTO worker.searches (job_id, user_id, keywords, target_username, region, search_params)
            SELECT row.id, %(user_id)s, %(keywords)s, %(target_username)s, %(region)s, %(search_params)s FROM row
            ON CONFLICT (job_id) DO UPDATE
               SET user_id = excluded.user_id, keywords = excluded.keywords,
                   target_username = excluded.target_username, region = excluded.region,
                   search_params = excluded.search_params
            """,
            {
                **asdict(search),
                "keywords": None if search.keywords is None else Jsonb(list(search.keywords)),
                "search_params": None if search.search_params is None else Jsonb(dict(search.search_params)),
            },
        ).rowcount
        > 0
    )
