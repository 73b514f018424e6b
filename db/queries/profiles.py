"""Creator profiles kept between jobs, so that each is paid for once."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

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


async def claim_look_ups(
    connection: AsyncConnection[Any], platform: str, creator_ids: Sequence[str], claimant: UUID, life: timedelta
) -> set[str]:
    """Claim creators to look up; give those that nobody else looks up now. A claim that ran out is taken over.

    Locks: the claims' rows, in key order, for this statement alone. Plan: primary key.
    """
    cursor = await connection.execute(
        """
        INSERT INTO worker.profile_claims AS c (platform, creator_id, claimant, expires_at)
        SELECT %s, id, %s, clock_timestamp() + %s FROM unnest(%s::text[]) AS id ORDER BY id
        ON CONFLICT (platform, creator_id) DO UPDATE
           SET claimant = excluded.claimant, expires_at = excluded.expires_at
         WHERE c.expires_at < clock_timestamp() OR c.claimant = excluded.claimant
        RETURNING creator_id
        """,
        (platform, claimant, life, sorted(creator_ids)),
    )
    return {creator_id for (creator_id,) in await cursor.fetchall()}


async def renew_look_ups(
    connection: AsyncConnection[Any], platform: str, creator_ids: Sequence[str], claimant: UUID, life: timedelta
) -> None:
    """Hold claims for longer. Locks: their rows, in key order. Plan: primary key."""
    await connection.execute(
        """
        WITH mine AS MATERIALIZED (
            SELECT platform, creator_id FROM worker.profile_claims
             WHERE platform = %s AND creator_id = ANY (%s) AND claimant = %s ORDER BY creator_id FOR UPDATE)
        UPDATE worker.profile_claims c SET expires_at = clock_timestamp() + %s
          FROM mine m WHERE c.platform = m.platform AND c.creator_id = m.creator_id
        """,
        (platform, sorted(creator_ids), claimant, life),
    )


async def release_look_ups(
    connection: AsyncConnection[Any], platform: str, creator_ids: Sequence[str], claimant: UUID
) -> None:
    """Give claims back, and forget some of those whose claimants died. Locks: their rows. Plan: primary key, expiry."""
    await connection.execute(
        """
        WITH gone AS MATERIALIZED (
            SELECT platform, creator_id FROM worker.profile_claims
             WHERE (platform = %s AND creator_id = ANY (%s) AND claimant = %s)
             ORDER BY creator_id FOR UPDATE),
        forgotten AS MATERIALIZED (
            SELECT platform, creator_id FROM worker.profile_claims
             WHERE expires_at < statement_timestamp() - interval '10 minutes' LIMIT 100 FOR UPDATE SKIP LOCKED)
        DELETE FROM worker.profile_claims c
         USING (SELECT * FROM gone UNION SELECT * FROM forgotten) d
         WHERE c.platform = d.platform AND c.creator_id = d.creator_id
        """,
        (platform, sorted(creator_ids), claimant),
    )
