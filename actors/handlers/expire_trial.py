"""``expire_trial``: one user's trial ends, if it is over."""

from typing import Annotated

import msgspec

from actors.handlers.contract import Handler, JobContext, JobSettled
from actors.handlers.expire_trials import trial_events
from db.queries.events import raise_events
from db.queries.trials import expire_due
from db.queries.users import lock_user
from worker.errors import FailJob


class ExpireTrialPayload(msgspec.Struct, rename="camel"):
    """Whose trial: ``{"userId": "user_2abc"}``."""

    user_id: Annotated[str, msgspec.Meta(min_length=1)]


async def run(context: JobContext, payload: ExpireTrialPayload) -> JobSettled:
    """End the user's trial if it is over; one that is not, or no longer active, is left. Raises `FailJob`."""
    async with context.transaction() as connection:
        if await lock_user(connection, payload.user_id) is None:
            raise FailJob(
                "unknown_user",
                f"userId is {payload.user_id!r}, and users has no such user_id; expected one; correct the payload and "
                "set the job to pending",
            )
        ended = await expire_due(connection, 10, payload.user_id)
        await raise_events(connection, trial_events(ended))
        return await context.completing(connection, {"expired": len(ended)})


HANDLERS = (Handler("expire_trial", ExpireTrialPayload, run),)
