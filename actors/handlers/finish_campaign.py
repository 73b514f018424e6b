"""``finish_campaign``: a campaign whose jobs have all ended becomes ``completed``, its user gets one mail, once.

Asked for one campaign after one of its jobs has ended (`event_follow_ups`), and by the clock for all of them, so that a
campaign whose event was lost is finished too.
"""

from typing import Any
from uuid import UUID

import msgspec
from psycopg import AsyncConnection

from actors.handlers.contract import Handler, JobContext, JobSettled
from db.queries import campaigns
from db.queries.events import NewEvent, raise_event
from db.queries.follow_ups import FollowUp, queue_job

MOST = 100
"""Campaigns that one run by the clock finishes; the rest is the next run's."""

MAIL_RETRIES = 8


class FinishCampaign(msgspec.Struct, rename="camel"):
    """Which campaign, or one of its jobs; all that have ended when neither is given."""

    campaign_id: UUID | None = None
    job_id: UUID | None = None


async def run(context: JobContext, payload: FinishCampaign) -> JobSettled:
    """Finish what has ended: status, event and mail job are one transaction with the job's completion.

    Gives ``{"finished": [...], "open": [...]}``; a campaign that is finished already, or gone, is in neither.
    """
    async with context.transaction() as connection:
        finished, open_ = [], []
        for campaign_id in await _asked_for(connection, payload):
            campaign = await campaigns.lock_campaign(connection, campaign_id)
            if campaign is None or campaign.status not in campaigns.OPEN:
                continue
            if campaign.open_jobs or not campaign.jobs:
                open_.append(campaign_id)
                continue
            await _finish(connection, campaign)
            finished.append(campaign_id)
        return await context.completing(connection, {"finished": finished, "open": open_})


async def _asked_for(connection: AsyncConnection[Any], payload: FinishCampaign) -> list[UUID]:
    if payload.campaign_id is not None:
        return [payload.campaign_id]
    if payload.job_id is not None:
        found = await campaigns.campaign_of_job(connection, payload.job_id)
        return [found] if found else []
    return await campaigns.ended_campaigns(connection, MOST)


async def _finish(connection: AsyncConnection[Any], campaign: campaigns.Campaign) -> None:
    await campaigns.complete_campaign(connection, campaign.id)
    told = {
        "userId": campaign.user_id,
        "name": campaign.name,
        "jobs": campaign.jobs,
        "completedJobs": campaign.completed_jobs,
        "creators": campaign.creators,
    }
    key = f"campaign_completed:{campaign.id}"
    await raise_event(connection, NewEvent("campaign", str(campaign.id), "campaign_completed", key, told))
    # A campaign that is opened again and ends again is news for the rows, and no second mail.
    mail = {"userId": campaign.user_id, "type": "campaign_finished", "campaignId": str(campaign.id)}
    key = f"campaign_finished:{campaign.id}"
    await queue_job(connection, FollowUp("send_email", mail, key, max_retries=MAIL_RETRIES))


HANDLERS = (Handler("finish_campaign", FinishCampaign, run, schedule="* * * * *"),)
