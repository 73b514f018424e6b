"""Which jobs a page of a list shows: by keys and bounded looks, however many jobs there are. Reads only, no locks."""

from dataclasses import dataclass
from typing import Any, Final

from psycopg import AsyncConnection

from db.queries.console.reading import plain_rows

LOOK: Final = 4000
"""Rows of each status, or tasks, that one page of a filtered list looks at."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a list is to show; None and an empty text do not choose. ``text`` is sought in words, users and errors."""

    status: str | None = None
    platform: str | None = None
    user: str | None = None
    campaign: str | None = None
    text: str | None = None

    @property
    def must_look(self) -> bool:
        """Whether rows must be read to know whether they belong."""
        return bool(self.platform or self.text)


@dataclass(frozen=True, slots=True)
class Found:
    """Ids of one page, where the next one begins, and how far back was looked when that was not to the end."""

    ids: list[str]
    after: str | None
    looked_to: str | None


async def scraping_ids(connection: AsyncConnection[Any], wanted: Wanted, after: str | None, limit: int) -> Found:
    """The newest rows of ``scraping_jobs`` that are wanted, from beyond ``after``, as `Found.after` gave it.

    The application indexes its rows by status and time, not by time alone: so each status gives its newest, and they
    are merged. Plan: ``idx_scraping_jobs_status_created``, one probe a status and at most ``LOOK`` rows of it; or the
    index of users.
    """
    before, before_id = _split(after)
    conditions = ""
    if before is not None:
        conditions += " AND j.created_at <= %(before)s AND (j.created_at, j.id) < (%(before)s, %(before_id)s)"
    if wanted.user:
        conditions += " AND j.user_id = %(user)s"
    if wanted.campaign:
        conditions += " AND j.campaign_id = %(campaign)s::uuid"
    statuses = """
            (SELECT status FROM public.scraping_jobs ORDER BY status LIMIT 1)
        UNION ALL
            SELECT (SELECT j.status FROM public.scraping_jobs j WHERE j.status > s.status ORDER BY j.status LIMIT 1)
              FROM statuses s WHERE s.status IS NOT NULL
    """
    rows = await plain_rows(
        connection,
        f"""
        WITH RECURSIVE statuses (status) AS ({statuses if not wanted.status else "SELECT %(status)s::varchar"}),
        looked AS MATERIALIZED (
            SELECT j.*, row_number() OVER (PARTITION BY s.status ORDER BY j.created_at DESC, j.id DESC) AS place
              FROM statuses s
             CROSS JOIN LATERAL (
                   SELECT j.id, j.created_at, j.platform, j.user_id, j.keywords, j.target_username, j.error
                     FROM public.scraping_jobs j
                    WHERE j.status = s.status {conditions}
                    ORDER BY j.created_at DESC, j.id DESC LIMIT %(look)s) j
             WHERE s.status IS NOT NULL),
        -- Beyond the newest of the places where a look ended, a row may have been missed.
        edge AS (SELECT created_at, id FROM looked WHERE place = %(look)s ORDER BY created_at DESC, id DESC LIMIT 1)
        SELECT q.id::text, q.created_at::text AS at, q.edge FROM (
        SELECT l.id, l.created_at, false AS edge
          FROM looked l
         WHERE (%(platform)s::text IS NULL OR lower(btrim(l.platform)) = lower(%(platform)s))
           AND (%(text)s::text IS NULL OR concat_ws(' ', l.user_id, l.keywords::text, l.target_username, l.error)
                                          ILIKE %(text)s)
           AND NOT EXISTS (SELECT FROM edge e WHERE (l.created_at, l.id) < (e.created_at, e.id))
        UNION ALL
        SELECT id, created_at, true FROM edge) q
         ORDER BY q.edge, q.created_at DESC, q.id DESC
         LIMIT %(limit)s
        """,
        {
            "status": wanted.status,
            "platform": wanted.platform,
            "user": wanted.user,
            "campaign": wanted.campaign,
            "text": _pattern(wanted.text),
            "before": before,
            "before_id": before_id,
            "look": LOOK if wanted.must_look else limit + 1,
            "limit": limit + 1,
        },
    )
    places = [(f"{row['at']}|{row['id']}", row) for row in rows]
    hits = [(place, str(row["id"]), "") for place, row in places if not row["edge"]]
    return _page(hits, next(((place, str(row["at"])) for place, row in places if row["edge"]), None), limit)


async def search_ids(connection: AsyncConnection[Any], wanted: Wanted, after: str | None, limit: int) -> Found:
    """Keys of the newest searches that are wanted, by their tasks, as their own table has no index for it.

    Call it only where the table is. Plan: tasks by primary key backwards or by ``job_table``, then primary keys.
    """
    rows = await plain_rows(
        connection,
        """
        WITH looked AS MATERIALIZED (
            SELECT t.id, t.job_id, t.tenant FROM worker.tasks t
             WHERE t.job_table = 'search_jobs' AND (%(after)s::bigint IS NULL OR t.id < %(after)s)
             ORDER BY t.id DESC LIMIT %(look)s),
        edge AS (SELECT min(id) AS id FROM looked HAVING count(*) = %(look)s),
        hits AS (
            SELECT l.id, l.job_id, false AS edge
              FROM looked l
              JOIN worker.searches w ON w.key = l.job_id::uuid
              JOIN public.search_jobs s ON s.id = w.job_id
             WHERE (%(status)s::text IS NULL OR s.status = %(status)s)
               AND (%(platform)s::text IS NULL OR lower(btrim(s.platform)) = lower(%(platform)s))
               AND (%(user)s::text IS NULL OR l.tenant = %(user)s)
               AND (%(campaign)s::text IS NULL OR s.campaign_id = %(campaign)s::uuid)
               AND (%(text)s::text IS NULL
                    OR concat_ws(' ', s.id, l.tenant, w.keywords::text, w.target_username) ILIKE %(text)s)
             ORDER BY l.id DESC LIMIT %(limit)s)
        SELECT * FROM hits UNION ALL SELECT id, NULL, true FROM edge
        """,
        _by_task(wanted, after, limit),
    )
    return _page_of_tasks(rows, limit)


async def background_ids(
    connection: AsyncConnection[Any], wanted: Wanted, job_type: str | None, after: str | None, limit: int
) -> Found:
    """Ids of the newest background jobs that are wanted, by their tasks. Plan: as `search_ids`."""
    rows = await plain_rows(
        connection,
        """
        WITH looked AS MATERIALIZED (
            SELECT t.id, t.job_id, t.tenant, t.lane FROM worker.tasks t
             WHERE t.job_table = 'background_jobs' AND (%(after)s::bigint IS NULL OR t.id < %(after)s)
             ORDER BY t.id DESC LIMIT %(look)s),
        edge AS (SELECT min(id) AS id FROM looked HAVING count(*) = %(look)s),
        hits AS (
            SELECT l.id, l.job_id, false AS edge
              FROM looked l JOIN public.background_jobs b ON b.id = l.job_id::uuid
             WHERE (%(status)s::text IS NULL OR b.status = %(status)s)
               AND (%(job_type)s::text IS NULL OR b.job_type = %(job_type)s)
               AND (%(user)s::text IS NULL OR l.tenant = %(user)s)
               AND (%(text)s::text IS NULL
                    OR concat_ws(' ', b.job_type, b.payload::text, b.error) ILIKE %(text)s)
             ORDER BY l.id DESC LIMIT %(limit)s)
        SELECT * FROM hits UNION ALL SELECT id, NULL, true FROM edge
        """,
        {**_by_task(wanted, after, limit), "job_type": job_type},
    )
    return _page_of_tasks(rows, limit)


def _by_task(wanted: Wanted, after: str | None, limit: int) -> dict[str, Any]:
    return {
        "status": wanted.status,
        "platform": wanted.platform,
        "user": wanted.user,
        "campaign": wanted.campaign,
        "text": _pattern(wanted.text),
        "after": int(after) if after else None,
        "look": LOOK,
        "limit": limit + 1,
    }


def _page_of_tasks(rows: list[dict[str, Any]], limit: int) -> Found:
    hits = [(str(row["id"]), str(row["job_id"]), "") for row in rows if not row["edge"]]
    return _page(hits, next(((str(row["id"]), "") for row in rows if row["edge"]), None), limit)


def _page(hits: list[tuple[str, str, str]], edge: tuple[str, str] | None, limit: int) -> Found:
    ids = [job_id for _, job_id, _ in hits[:limit]]
    if len(hits) > limit:
        return Found(ids, hits[limit - 1][0], None)
    return Found(ids, edge[0], edge[1]) if edge else Found(ids, None, None)


def _split(after: str | None) -> tuple[str | None, str | None]:
    at, _, job_id = (after or "").rpartition("|")
    return (at, job_id) if at and job_id else (None, None)


def _pattern(text: str | None) -> str | None:
    if not text:
        return None
    return "%" + text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
