"""What is known of a mail's reader, and the state of each of the reader's mails."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, LiteralString
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import class_row
from psycopg.types.json import Jsonb


@dataclass(frozen=True, slots=True)
class Reader:
    """A user as far as mails are concerned. Times are the application's: UTC without a zone.

    ``mails`` is ``email_schedule_status``: by mail ``{"status", "messageId", "timestamp", ...}``.
    """

    id: UUID
    email: str | None
    full_name: str | None
    business_name: str | None
    onboarding_step: str
    trial_status: str | None
    subscription_status: str | None
    trial_start: datetime | None
    trial_end: datetime | None
    mails: dict[str, Any]
    now: datetime
    """The database's time, in UTC with its zone."""


async def lock_reader(connection: AsyncConnection[Any], user_id: str) -> Reader | None:
    """The user of a Clerk id, locked until the transaction ends, so that mails of one user take turns; None: nobody.

    Locks: the user's row. Plan: unique index of ``users.user_id``, then one probe a table.
    """
    locked = await connection.execute("SELECT id FROM public.users WHERE user_id = %s FOR NO KEY UPDATE", (user_id,))
    row = await locked.fetchone()
    if row is None:
        return None
    # Nothing keeps a user from having several rows in the other tables: the oldest counts, everywhere.
    # A statement of its own: it must see what others wrote while this one waited for the lock.
    async with connection.cursor(row_factory=class_row(Reader)) as cursor:
        await cursor.execute(
            """
            SELECT u.id, u.email, u.full_name, u.business_name, u.onboarding_step, b.trial_status,
                   b.subscription_status, b.trial_start_date AS trial_start, b.trial_end_date AS trial_end,
                   coalesce(s.mails, '{}') AS mails, clock_timestamp() AS now
              FROM public.users u
              LEFT JOIN LATERAL (
                   SELECT * FROM public.user_subscriptions o WHERE o.user_id = u.id
                    ORDER BY o.created_at, o.id LIMIT 1) b ON true
              LEFT JOIN LATERAL (
                   SELECT CASE jsonb_typeof(d.email_schedule_status) WHEN 'object' THEN d.email_schedule_status END
                     FROM public.user_system_data d WHERE d.user_id = u.id
                    ORDER BY d.created_at, d.id LIMIT 1) s (mails) ON true
             WHERE u.id = %s
            """,
            (row[0],),
        )
        return await cursor.fetchone()


_STAMPED: Final[LiteralString] = """
    jsonb_build_object('timestamp', to_char(worker.utc_now(), 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')) || %(note)s::jsonb
"""


async def note_mail(connection: AsyncConnection[Any], reader_id: UUID, mail: str, note: Mapping[str, Any]) -> None:
    """Write the state of one mail; the others stay. ``note`` gets ``timestamp`` unless it has one.

    Locks: the user's row, held by the caller so that a user gets no two rows; the row of ``user_system_data``. Plan:
    index of its ``user_id``.
    """
    parameters = {"reader": reader_id, "mail": mail, "note": Jsonb(dict(note))}
    cursor = await connection.execute(
        f"""
        UPDATE public.user_system_data d
           SET email_schedule_status =
                   CASE jsonb_typeof(d.email_schedule_status) WHEN 'object' THEN d.email_schedule_status ELSE '{{}}' END
                   || jsonb_build_object(%(mail)s::text, {_STAMPED}),
               updated_at = worker.utc_now()
         WHERE d.id = (SELECT s.id FROM public.user_system_data s WHERE s.user_id = %(reader)s
                        ORDER BY s.created_at, s.id LIMIT 1)
        """,
        parameters,
    )
    if cursor.rowcount == 0:
        await connection.execute(
            f"""
            INSERT INTO public.user_system_data (user_id, email_schedule_status, signup_timestamp, created_at,
                                                 updated_at)
            SELECT u.id, jsonb_build_object(%(mail)s::text, {_STAMPED}), u.created_at, worker.utc_now(),
                   worker.utc_now()
              FROM public.users u WHERE u.id = %(reader)s
            """,
            parameters,
        )


async def job_is_open(connection: AsyncConnection[Any], job_id: str) -> bool:
    """Whether a background job runs or will run again. No locks. Plan: the unique key of a task's job."""
    cursor = await connection.execute(
        "SELECT EXISTS (SELECT FROM worker.tasks WHERE job_table = 'background_jobs' AND job_id = %s"
        " AND state NOT IN ('closed', 'parked'))",
        (job_id,),
    )
    row = await cursor.fetchone()
    return bool(row and row[0])


@dataclass(frozen=True, slots=True)
class FinishedCampaign:
    """A campaign's name, and how many creators all its searches stored."""

    name: str
    creators: int


async def load_campaign(connection: AsyncConnection[Any], campaign_id: UUID, user_id: str) -> FinishedCampaign | None:
    """A campaign of the user; None where there is none of that id. No locks.

    Plan: primary key, then ``idx_scraping_jobs_user_campaign``.
    """
    async with connection.cursor(row_factory=class_row(FinishedCampaign)) as cursor:
        await cursor.execute(
            """
            SELECT c.name,
                   (SELECT coalesce(sum(j.processed_results), 0)::bigint FROM public.scraping_jobs j
                     WHERE j.user_id = c.user_id AND j.campaign_id = c.id)
                   + (SELECT s.o_creators FROM worker.searches_of(c.id, '{}') s) AS creators
              FROM public.campaigns c WHERE c.id = %s AND c.user_id = %s
            """,
            (campaign_id, user_id),
        )
        return await cursor.fetchone()


async def job_named(connection: AsyncConnection[Any], key: str) -> str | None:
    """The background job that an idempotency key names; None when it names none. No locks. Plan: primary key."""
    cursor = await connection.execute("SELECT job_id FROM worker.enqueue_keys WHERE key = %s", (key,))
    row = await cursor.fetchone()
    return str(row[0]) if row else None
