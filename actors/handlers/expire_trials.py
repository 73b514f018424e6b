"""``expire_trials``: every hour, all trials that are over end."""

from collections.abc import Sequence
from typing import Annotated, Final

import msgspec

from actors.handlers.contract import Handler, JobContext, JobSettled
from db.queries.events import NewEvent, raise_events
from db.queries.trials import EndedTrial, expire_due

SOURCE: Final = "system_automation"


class ExpireTrialsPayload(msgspec.Struct, rename="camel"):
    """How many trials one transaction ends: ``{"batch": 200}``."""

    batch: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 200


async def run(context: JobContext, payload: ExpireTrialsPayload) -> JobSettled:
    """End every trial that is over, a batch a transaction; users who are being changed just now are the next run's."""
    expired = 0
    while True:
        async with context.transaction() as connection:
            ended = await expire_due(connection, payload.batch)
            await raise_events(connection, trial_events(ended))
            if not ended:
                return await context.completing(connection, {"expired": expired})
        expired += len(ended)


def trial_events(ended: Sequence[EndedTrial]) -> list[NewEvent]:
    """What the application is told of trials that ended."""
    return [
        NewEvent(
            "trial",
            trial.user_id,
            "trial_expired",
            # A trial that was extended, and ends again, is another event.
            f"{SOURCE}_{trial.user_id}_{trial.ended_at:%Y%m%dT%H%M%S}_trial_expired",
            {"userId": trial.user_id, "planId": trial.plan, "trialEndDate": trial.ended_at.isoformat()},
            source=SOURCE,
        )
        for trial in ended
    ]


HANDLERS = (Handler("expire_trials", ExpireTrialsPayload, run, schedule="0 * * * *"),)
