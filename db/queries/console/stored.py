"""The creators that a job has stored, some at a time. Reads only, no locks."""

from dataclasses import dataclass
from typing import Any, Final

from psycopg import AsyncConnection

from db.queries.console.reading import plain_rows

BATCHES: Final = 8
"""Batches that are read at once: most have ten creators or more."""


@dataclass(frozen=True, slots=True)
class Stored:
    """Creators in the order in which they were stored, and where the next ones begin."""

    creators: list[dict[str, Any]]
    after: str | None


async def batched(connection: AsyncConnection[Any], job_id: str, after: str | None, limit: int) -> Stored:
    """Creators of a scraping job. ``after`` names a batch and a place in it, as `Stored.after` gave it.

    Plan: ``idx_scraping_results_job_id``; of the job's batches only those that are shown are read whole.
    """
    at, batch, place = _split(after)
    conditions = "" if at is None else "AND (created_at, id) >= (%(at)s, %(batch)s)"
    rows = await plain_rows(
        connection,
        f"""
        SELECT id::text, created_at::text AS at, creators FROM public.scraping_results
         WHERE job_id = %(job_id)s::uuid {conditions}
         ORDER BY created_at, id LIMIT %(batches)s
        """,
        {"job_id": job_id, "at": at, "batch": batch, "batches": max(BATCHES, limit // 4)},
    )
    found: list[dict[str, Any]] = []
    for number, row in enumerate(rows):
        creators = row["creators"] if isinstance(row["creators"], list) else []
        for index, creator in enumerate(creators):
            if number == 0 and index < place:
                continue
            if len(found) == limit:
                return Stored(found, f"{row['at']}|{row['id']}|{index}")
            found.append(creator if isinstance(creator, dict) else {"creator": creator})
    more = len(rows) == max(BATCHES, limit // 4)
    return Stored(found, f"{rows[-1]['at']}|{rows[-1]['id']}|{10**6}" if more else None)


async def in_rows(connection: AsyncConnection[Any], key: str, after: str | None, limit: int) -> Stored:
    """Creators of a search, by its key. Plan: as the application's table has it, a scan where it has no index."""
    at, row_id, _ = _split(after)
    conditions = "" if at is None else "AND (r.created_at, r.id) > (%(at)s, %(row_id)s)"
    rows = await plain_rows(
        connection,
        f"""
        SELECT r.id::text, r.created_at::text AS at, r.raw_data, r.username, r.display_name, r.platform, r.profile_url,
               r.avatar_url, r.followers, r.is_verified, r.email, r.bio
          FROM worker.searches w JOIN public.search_results r ON r.job_id = w.job_id
         WHERE w.key = %(key)s::uuid {conditions}
         ORDER BY r.created_at, r.id LIMIT %(limit)s
        """,
        {"key": key, "at": at, "row_id": row_id, "limit": limit + 1},
    )
    found = [_document(row) for row in rows[:limit]]
    return Stored(found, f"{rows[limit - 1]['at']}|{rows[limit - 1]['id']}|0" if len(rows) > limit else None)


def _document(row: dict[str, Any]) -> dict[str, Any]:
    if isinstance(row["raw_data"], dict) and row["raw_data"]:
        return {"profileUrl": row["profile_url"], **row["raw_data"]}
    return {
        "creator": {
            "name": row["display_name"],
            "uniqueId": row["username"],
            "followers": row["followers"],
            "avatarUrl": row["avatar_url"],
            "bio": row["bio"],
            "emails": [row["email"]] if row["email"] else [],
            "verified": row["is_verified"] == "true",
        },
        "platform": row["platform"],
        "profileUrl": row["profile_url"],
    }


def _split(after: str | None) -> tuple[str | None, str | None, int]:
    at, _, rest = (after or "").partition("|")
    batch, _, place = rest.partition("|")
    return (at, batch, int(place)) if at and batch and place.isdigit() else (None, None, 0)
