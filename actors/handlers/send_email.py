"""``send_email``: sends one mail to a user, once, whatever happens to workers. See docs/mail.md."""

from uuid import UUID

import msgspec

from actors.handlers.contract import Handler, JobContext, JobSettled
from actors.mail.choosing import post_of_this_process
from actors.mail.contract import MailType
from actors.mail.sending import Wanted, send_once
from worker.errors import FailJob

RETRY_BASE_SECONDS = 60.0
RETRY_CAP_SECONDS = 3600.0
"""A mail server that is away is away for minutes, and a mail does not hurry."""


class SendEmailPayload(msgspec.Struct, rename="camel"):
    """Which mail to whom: ``{"userId": "user_2abc", "type": "welcome"}``.

    ``campaignId`` belongs to ``campaign_finished``, of which a user gets one a campaign.
    """

    user_id: str
    type: MailType
    campaign_id: UUID | None = None


async def run(context: JobContext, payload: SendEmailPayload) -> JobSettled:
    """Send the mail unless it was sent before, or makes no sense any more; note it in ``email_schedule_status``.

    Gives ``{"sent": true, "messageId": ...}`` or ``{"sent": false, "reason": ...}``.
    """
    if (payload.campaign_id is not None) != (payload.type == "campaign_finished"):
        seen = "no campaignId" if payload.campaign_id is None else f"a campaignId and the type {payload.type!r}"
        raise FailJob(
            "invalid_payload",
            f"payload of send_email has {seen}; expected campaignId with the type 'campaign_finished' and no other; "
            "correct it and set the job to pending",
        )
    return await send_once(context, Wanted(payload.user_id, payload.type, payload.campaign_id), post_of_this_process())


HANDLERS = (Handler("send_email", SendEmailPayload, run, RETRY_BASE_SECONDS, RETRY_CAP_SECONDS),)
