"""``reset_monthly_usage``: a new month's counters begin at nothing, once a user and month."""

from datetime import timedelta
from typing import Annotated, Final

import msgspec

from actors.handlers.contract import Handler, JobContext, JobSettled
from db.queries.events import NewEvent, raise_events
from db.queries.trials import NewMonth, begin_months, months_left
from worker.errors import WaitJob

SOURCE: Final = "system_automation"
LOCKED_WAIT: Final = timedelta(seconds=10)


class ResetMonthlyUsagePayload(msgspec.Struct, rename="camel"):
    """How many users one transaction sees to: ``{"batch": 200}``."""

    batch: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 200


async def run(context: JobContext, payload: ResetMonthlyUsagePayload) -> JobSettled:
    """Begin the month of every user whose ``usage_reset_date`` lies in an earlier one (UTC), a batch a transaction.

    Raises `WaitJob` while users are being changed by others, since the next run is a month away.
    """
    reset = 0
    while True:
        async with context.transaction() as connection:
            begun = await begin_months(connection, payload.batch)
            await raise_events(connection, [reset_event(month) for month in begun])
            if not begun:
                if await months_left(connection):
                    raise WaitJob("users_locked", "some users are being changed by others just now", LOCKED_WAIT)
                return await context.completing(connection, {"reset": reset})
        reset += len(begun)


def reset_event(month: NewMonth) -> NewEvent:
    """The event of a month that began, with what was used in the one before; once a user and month."""
    return NewEvent(
        "user",
        month.user_id,
        "usage_reset",
        f"{SOURCE}_{month.user_id}_{month.month:%Y-%m}_usage_reset",
        {
            "userId": month.user_id,
            "month": f"{month.month:%Y-%m}",
            "creatorsBefore": month.creators,
            "enrichmentsBefore": month.enrichments,
        },
        source=SOURCE,
    )


HANDLERS = (Handler("reset_monthly_usage", ResetMonthlyUsagePayload, run, schedule="0 0 1 * *"),)
