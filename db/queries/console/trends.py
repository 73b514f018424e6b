"""What happened in an hour or a day, added up for charts. Reads only, no locks."""

from datetime import timedelta
from typing import Any

from psycopg import AsyncConnection

from db.queries.console.reading import plain_rows


async def attempts_by_time(connection: AsyncConnection[Any], span: timedelta, width: timedelta) -> list[dict[str, Any]]:
    """How slices ended, by spans of ``width``: seconds since 1970 of each, and counts. Empty spans are missing.

    Plan: ``attempts_ended``; what ended within ``span`` is read.
    """
    return await plain_rows(
        connection,
        """
        SELECT extract(epoch FROM date_bin(%(width)s, ended_at, '2000-01-01+00'))::bigint AS at,
               count(*) FILTER (WHERE outcome = 'completed') AS completed,
               count(*) FILTER (WHERE outcome = 'error') AS failed,
               count(*) FILTER (WHERE outcome = 'timeout') AS timed_out,
               count(*) FILTER (WHERE outcome = 'retry') AS retried,
               count(*) FILTER (WHERE outcome = 'wait') AS waited,
               count(*) FILTER (WHERE outcome = 'crashed') AS crashed
          FROM worker.attempts
         WHERE ended_at >= statement_timestamp() - %(span)s::interval
         GROUP BY 1 ORDER BY 1
        """,
        {"span": span, "width": width},
    )


async def credits_by_provider(connection: AsyncConnection[Any]) -> list[dict[str, Any]]:
    """Calls and credits of an hour and of a day, by provider; credits of two providers are different units.

    Plan: ``spend_age``; what was spent in a day is read.
    """
    return await plain_rows(
        connection,
        """
        SELECT provider, sum(calls)::bigint AS calls, sum(credits)::bigint AS credits,
               coalesce(sum(calls) FILTER (WHERE spent_at > statement_timestamp() - interval '1 hour'), 0)::bigint
                   AS calls_hour,
               coalesce(sum(credits) FILTER (WHERE spent_at > statement_timestamp() - interval '1 hour'), 0)::bigint
                   AS credits_hour
          FROM worker.spend
         WHERE spent_at > statement_timestamp() - interval '1 day'
         GROUP BY provider ORDER BY sum(credits) DESC, provider
        """,
    )
