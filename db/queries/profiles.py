"""Creator profiles kept between jobs, so that each is paid for once."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from psycopg import AsyncConnection


async def young_profiles(
    connection: AsyncConnection[Any], platform: str, creator_ids: Sequence[str], max_age: timedelta
) -> dict[str, str]:
    """Profiles not older than ``max_age``, as JSON text by creator id. No locks. Plan: primary key probes."""
    cursor = await connection.execute(
        """
        SELECT creator_id, profile::text FROM worker.creator_profiles
         WHERE platform = %s AND creator_id = ANY (%s) AND fetched_at > clock_timestamp() - %s
        """,
        (platform, list(creator_ids), max_age),
    )
    return dict(await cursor.fetchall())


async def keep_profiles(
    connection: AsyncConnection[Any], platform: str, provider: str, profiles: Mapping[str, str]
) -> None:
    """Keep profiles (JSON text by creator id), newest wins. Locks: their rows, in key order."""
    ids = sorted(profiles)
    await connection.execute(
        """
        INSERT INTO worker.creator_profiles (platform, creator_id, provider, profile)
        SELECT %s, p.id, %s, p.profile::jsonb FROM unnest(%s::text[], %s::text[]) AS p (id, profile)
        ON CONFLICT (platform, creator_id) DO UPDATE
           SET provider = excluded.provider, profile = excluded.profile, fetched_at = excluded.fetched_at
        """,
        (platform, provider, ids, [profiles[creator_id] for creator_id in ids]),
    )
