"""``send_trial_email``: sends one mail of the trial's series to a user, once. See docs/mail.md."""

import msgspec

from actors.handlers.contract import Handler, JobContext, JobSettled
from actors.handlers.send_email import RETRY_BASE_SECONDS, RETRY_CAP_SECONDS
from actors.mail.choosing import post_of_this_process
from actors.mail.contract import TrialMailType
from actors.mail.sending import Wanted, send_once


class SendTrialEmailPayload(msgspec.Struct, rename="camel"):
    """Which mail to whom: ``{"userId": "user_2abc", "type": "trial_day2"}``."""

    user_id: str
    type: TrialMailType


async def run(context: JobContext, payload: SendTrialEmailPayload) -> JobSettled:
    """As ``send_email``; a user who converted or cancelled gets none, and its note says ``cancelled``."""
    return await send_once(context, Wanted(payload.user_id, payload.type), post_of_this_process())


HANDLERS = (Handler("send_trial_email", SendTrialEmailPayload, run, RETRY_BASE_SECONDS, RETRY_CAP_SECONDS),)
