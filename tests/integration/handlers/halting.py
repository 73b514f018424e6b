"""A handler that stops with everything done but the commit, as long as somebody holds the gate.

A process loads it by ``TRAWLER_HANDLERS=tests.integration.handlers.halting``.
"""

import msgspec

from actors.handlers.contract import Handler, JobContext, JobSettled

GATE = 7_311
"""Key of the advisory lock."""


class Nothing(msgspec.Struct):
    """No payload."""


async def _halting(context: JobContext, payload: Nothing) -> JobSettled:
    async with context.transaction() as connection:
        await connection.execute("INSERT INTO effects VALUES (%s)", (context.lease.job_id,))
        settled = await context.completing(connection, "done")
        await connection.execute("SELECT pg_advisory_xact_lock_shared(%s)", (GATE,))
        return settled


HANDLERS = (Handler("halting", Nothing, _halting),)
