"""Jobs in a list, newest first, a page at a time: never counted, and a page goes on where the one before it ended."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, LiteralString

from psycopg import AsyncConnection
from psycopg.rows import dict_row
from psycopg.sql import SQL, Composed

from db.queries.api_places import After

_TASK: Final[LiteralString] = "t.state, coalesce(t.wait_reason, t.end_reason) AS reason"


@dataclass(frozen=True, slots=True)
class Listed:
    """How one table is listed: its columns, and the conditions that its filters become."""

    columns: LiteralString
    task: LiteralString
    conditions: Mapping[str, LiteralString]
    source: LiteralString
    by_status: bool = False
    """Whether an index leads from a status to its newest rows, so that a list of all is one of each status."""


_SPAN: Final[dict[str, LiteralString]] = {
    "status": "j.status = %(status)s",
    "created_after": "j.created_at >= %(created_after)s::timestamptz AT TIME ZONE 'UTC'",
    "created_before": "j.created_at < %(created_before)s::timestamptz AT TIME ZONE 'UTC'",
}

LISTED: Final = {
    "scraping_jobs": Listed(
        columns="""
            j.id::text AS job_id, j.status, j.platform, j.user_id, j.campaign_id::text AS campaign_id,
            least(greatest(coalesce(j.progress, 0), 0), 100)::float AS progress, j.processed_results AS results,
            j.target_results AS target, j.created_at, j.completed_at, left(j.error, 4000) AS error
        """,
        task="t.job_table = 'scraping_jobs' AND t.job_id = p.job_id",
        conditions={
            **_SPAN,
            "platform": "lower(j.platform) = lower(%(platform)s)",
            "user_id": "j.user_id = %(user_id)s",
            "campaign_id": "j.campaign_id = %(campaign_id)s::uuid",
        },
        source="public.scraping_jobs j",
        by_status=True,
    ),
    "background_jobs": Listed(
        columns="""
            j.id::text AS job_id, j.status, j.job_type, j.retry_count, j.max_retries, j.created_at, j.completed_at,
            CASE WHEN isfinite(j.scheduled_for) THEN j.scheduled_for END AS scheduled_for,
            left(j.error, 4000) AS error
        """,
        task="t.job_table = 'background_jobs' AND t.job_id = p.job_id",
        conditions={
            **_SPAN,
            "job_type": "j.job_type = %(job_type)s",
            "user_id": "j.payload ->> 'userId' = %(user_id)s",
        },
        source="public.background_jobs j",
    ),
    "search_jobs": Listed(
        columns="""
            worker.search_key(j.id)::text AS job_id, j.id AS search_id, j.status, j.platform,
            j.campaign_id::text AS campaign_id,
            CASE j.status WHEN 'completed' THEN 100
                 ELSE least(99, 100.0 * j.completed_count / greatest(j.total_count, 1)) END::float AS progress,
            j.completed_count AS results, j.total_count AS target, j.created_at, j.completed_at
        """,
        task="t.job_table = 'search_jobs' AND t.job_id = p.job_id",
        conditions={
            **_SPAN,
            "platform": "lower(j.platform) = lower(%(platform)s)",
            "campaign_id": "j.campaign_id = %(campaign_id)s::uuid",
            "search_id": "j.id = %(search_id)s",
        },
        source="public.search_jobs j",
    ),
}
_KEY: Final[dict[str, LiteralString]] = {
    "scraping_jobs": "j.id",
    "background_jobs": "j.id",
    "search_jobs": "worker.search_key(j.id)",
}


async def jobs_page(
    connection: AsyncConnection[Any], table: str, filters: Mapping[str, object], after: After | None, limit: int
) -> list[dict[str, Any]]:
    """At most ``limit`` jobs, newest first, with their tasks; ``filters`` by the names of the table's conditions.

    Plan: scraping jobs by the application's index of status and creation, one probe a status, unless a filter has a
    better one; without that index, and of the other tables, one scan with a bounded sort. Then a key probe a row.
    """
    if table == "search_jobs" and not await _there_are_searches(connection):
        return []
    asked = {name: value for name, value in filters.items() if value is not None}
    parameters: dict[str, object] = {**asked, "limit": limit}
    listed = LISTED[table]
    conditions: list[SQL | Composed] = [SQL(listed.conditions[name]) for name in asked]
    if after is not None:
        parameters |= {"after_at": after.created_at, "after_id": after.id}
        conditions.append(SQL("(j.created_at, {}) < (%(after_at)s, %(after_id)s::uuid)").format(SQL(_KEY[table])))
    page = _each_status if listed.by_status and "status" not in asked else _plain
    async with connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(
            SQL(
                """
                WITH p AS MATERIALIZED ({page})
                SELECT p.*, {columns}
                  FROM p LEFT JOIN worker.tasks t ON {task}
                 ORDER BY p.created_at DESC, p.job_id::uuid DESC
                """
            ).format(page=page(listed, table, conditions), columns=SQL(_TASK), task=SQL(listed.task)),
            parameters,
        )
        return await cursor.fetchall()


def _plain(listed: Listed, table: str, conditions: list[SQL | Composed]) -> Composed:
    where = SQL(" AND ").join(conditions) if conditions else SQL("true")
    return SQL("SELECT {} FROM {} WHERE {} ORDER BY j.created_at DESC, {} DESC LIMIT %(limit)s").format(
        SQL(listed.columns), SQL(listed.source), where, SQL(_KEY[table])
    )


def _each_status(listed: Listed, table: str, conditions: list[SQL | Composed]) -> Composed:
    """The newest rows of each status there is, found one after the other in the index, and of these the newest."""
    return SQL(
        """
        WITH RECURSIVE words (status) AS (
                (SELECT j.status FROM {source} ORDER BY j.status LIMIT 1)
            UNION ALL
                SELECT (SELECT j.status FROM {source} WHERE j.status > w.status ORDER BY j.status LIMIT 1)
                  FROM words w WHERE w.status IS NOT NULL)
        SELECT n.* FROM words w CROSS JOIN LATERAL ({page}) AS n
         WHERE w.status IS NOT NULL ORDER BY n.created_at DESC, n.job_id::uuid DESC LIMIT %(limit)s
        """
    ).format(source=SQL(listed.source), page=_plain(listed, table, [SQL("j.status = w.status"), *conditions]))


async def _there_are_searches(connection: AsyncConnection[Any]) -> bool:
    row = await (await connection.execute("SELECT to_regclass('public.search_jobs') IS NOT NULL")).fetchone()
    return bool(row and row[0])
