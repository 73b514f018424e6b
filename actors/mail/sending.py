"""One mail of a background job: judged, marked, handed over, noted.

The mark comes before the mail and is committed, so that whoever finds it knows that the mail may be on its way. What
follows is in docs/mail.md.
"""

import asyncio
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final
from uuid import UUID

import psycopg
from psycopg import AsyncConnection

from actors.handlers.contract import JobContext, JobSettled
from actors.mail.choosing import Post
from actors.mail.composing import Composed, Facts, compose
from actors.mail.contract import Again, Mail, MailType, MaybeSent, NotSent
from actors.mail.judging import UNKNOWN, AskAgain, Refuse, Send, Skip, Verdict, judge
from db.queries.mail import Reader, job_is_open, load_campaign, lock_reader, note_mail
from db.session import connection_lost
from worker.errors import AuthorityLost, FailJob, JobSignal, RetryJob, WaitJob

PAUSE_SECONDS: Final = 0.5


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which mail to whom. ``user_id`` is the Clerk id; one user gets each mail once."""

    user_id: str
    mail_type: MailType
    campaign_id: UUID | None = None

    @property
    def name(self) -> str:
        """The mail's key in the user's notes: its type, and the campaign where it is about one."""
        return f"{self.mail_type}:{self.campaign_id}" if self.campaign_id else self.mail_type

    @property
    def digest(self) -> str:
        """The same for the same mail to the same user, and of use in a header."""
        return sha256(f"{self.user_id}\0{self.name}".encode()).hexdigest()[:40]


@dataclass(frozen=True, slots=True)
class _Begun:
    """A mail that is marked as being sent."""

    mail: Mail
    reader: Reader
    since: str | None


async def send_once(context: JobContext, wanted: Wanted, post: Post) -> JobSettled:
    """Send a mail unless it was sent, or makes no sense any more, and settle the job.

    Raises `FailJob` when it cannot be sent, `RetryJob` and `WaitJob` when it may be later.
    """
    async with context.transaction() as connection:
        reader = await lock_reader(connection, wanted.user_id)
        if reader is None:
            raise FailJob(
                "unknown_user",
                f"userId is {wanted.user_id!r}, and users has no such user_id; expected one; correct the payload and "
                "set the job to pending",
            )
        verdict = await _decide(connection, context, wanted, reader, post)
        if isinstance(verdict, Skip):
            if not verdict.noted:
                await note_mail(connection, reader.id, wanted.name, {"status": "cancelled", "reason": verdict.reason})
            return await context.completing(connection, {"sent": False, "reason": verdict.reason})
        begun = await _begin(connection, context, wanted, reader, verdict, post)
    if begun is None:
        raise _signal(verdict)
    return await _hand_over(context, wanted, begun, post)


async def _decide(
    connection: AsyncConnection[Any], context: JobContext, wanted: Wanted, reader: Reader, post: Post
) -> Verdict:
    verdict = judge(reader, wanted.mail_type, wanted.name, context.lease.job_id, post.transport)
    if isinstance(verdict, AskAgain) and not await job_is_open(connection, verdict.job_id):
        return verdict.otherwise
    return verdict


async def _begin(
    connection: AsyncConnection[Any], context: JobContext, wanted: Wanted, reader: Reader, verdict: Verdict, post: Post
) -> _Begun | None:
    """Mark the mail as being sent, or note why not; None when it is not to be sent now."""
    message_id = f"<{wanted.digest}@{post.sender.domain}>"
    if isinstance(verdict, Refuse):
        kept = reader.mails.get(wanted.name, {}) if verdict.outcome == UNKNOWN else {"messageId": message_id}
        await note_mail(connection, reader.id, wanted.name, {**kept, "status": "failed", "outcome": verdict.outcome})
    if not isinstance(verdict, Send):
        return None
    # Before the mark: a mail that cannot be written must leave none.
    words = await _words(connection, wanted, reader, post)
    mail = Mail(
        sender_name=post.sender.name,
        sender_address=post.sender.address,
        recipient=(reader.email or "").strip(),
        subject=words.subject,
        text=words.text,
        html=words.html,
        message_id=message_id,
        key=f"{wanted.mail_type}/{wanted.digest}",
    )
    begun = _Begun(mail, reader, verdict.since)
    await _note(connection, context, wanted, begun, post, "sending", since=verdict.since)
    return begun


async def _words(connection: AsyncConnection[Any], wanted: Wanted, reader: Reader, post: Post) -> Composed:
    campaign = None
    if wanted.campaign_id is not None:
        campaign = await load_campaign(connection, wanted.campaign_id, wanted.user_id)
        if campaign is None:
            raise FailJob(
                "unknown_campaign",
                f"campaignId is {str(wanted.campaign_id)!r}, and the user has no such campaign; expected one of the "
                "user's; correct the payload and set the job to pending",
            )
    facts = Facts(
        product=post.product,
        app_url=post.app_url,
        full_name=reader.full_name,
        business_name=reader.business_name,
        trial_end=reader.trial_end,
        on_trial=reader.trial_status == "active" and reader.subscription_status != "active",
        campaign_name=campaign.name if campaign else None,
        creators=campaign.creators if campaign else 0,
    )
    return compose(wanted.mail_type, facts)


async def _hand_over(context: JobContext, wanted: Wanted, begun: _Begun, post: Post) -> JobSettled:
    try:
        if not context.held:
            # Somebody else may own the job by now, and decides.
            raise NotSent("lease_not_renewed", "the lease ran out before the mail was handed over", Again.LATER)
        sent_as = await post.transport.send(begun.mail)
    except NotSent as error:
        # A try before this one may have been taken although it said nothing.
        await _note_unsent(context, wanted, begun, post, error, maybe=begun.since is not None)
        raise _signal(error) from None
    except MaybeSent as error:
        await _note_unsent(context, wanted, begun, post, error, maybe=True)
        raise RetryJob(error.reason, str(error)) from None
    while True:
        try:
            async with context.transaction() as connection:
                await lock_reader(connection, wanted.user_id)
                await _note(connection, context, wanted, begun, post, "sent", message_id=sent_as)
                return await context.completing(connection, {"sent": True, "messageId": sent_as})
        except AuthorityLost:
            # The job is somebody else's or is ended, and the mail went out all the same.
            async with context.pool.connection() as connection, connection.transaction():
                await lock_reader(connection, wanted.user_id)
                await _note(connection, context, wanted, begun, post, "sent", message_id=sent_as)
            raise
        except psycopg.OperationalError as error:
            # Only this process knows that it went out, so it waits for the database as long as the job is its own.
            if not (connection_lost(error) and context.held):
                raise
            await asyncio.sleep(PAUSE_SECONDS)


async def _note_unsent(
    context: JobContext, wanted: Wanted, begun: _Begun, post: Post, error: NotSent | MaybeSent, *, maybe: bool
) -> None:
    """Say where the mail stands: it will be tried again, it may be on its way, or it has failed."""
    failed = _is_over(context, post, error)
    if maybe and not failed:
        # The mark of before stays, with its time.
        return
    async with context.transaction() as connection:
        await lock_reader(connection, wanted.user_id)
        outcome = {"outcome": UNKNOWN if maybe else "not_sent"} if failed else {}
        await _note(
            connection, context, wanted, begun, post, "failed" if failed else "scheduled", since=begun.since, **outcome
        )


def _is_over(context: JobContext, post: Post, error: NotSent | MaybeSent) -> bool:
    """Whether the job is given up after this, as `actors.deciding` does."""
    again = error.again if isinstance(error, NotSent) else Again.LATER
    if again is Again.LATER:
        retries = context.lease.max_failures
        return retries is not None and context.lease.failures >= retries
    return again is Again.NEVER or context.lease.waits + 1 >= post.max_waits


async def _note(
    connection: AsyncConnection[Any],
    context: JobContext,
    wanted: Wanted,
    begun: _Begun,
    post: Post,
    status: str,
    *,
    message_id: str | None = None,
    since: str | None = None,
    **further: str,
) -> None:
    note = {
        "status": status,
        "messageId": message_id or begun.mail.message_id,
        "via": post.transport.name,
        "jobId": context.lease.job_id,
        **({"timestamp": since} if since else {}),
        **further,
    }
    await note_mail(connection, begun.reader.id, wanted.name, note)


def _signal(why: Verdict | NotSent) -> JobSignal:
    """How the job goes on without the mail."""
    if isinstance(why, Refuse):
        return FailJob(why.reason, why.message)
    if isinstance(why, NotSent):
        return _SIGNALS[why.again](why.reason, str(why), why.delay)
    return WaitJob("mail_being_sent", "another job is sending this mail")


_SIGNALS: Final[dict[Again, type[JobSignal]]] = {
    Again.LATER: RetryJob,
    Again.ONCE_MENDED: WaitJob,
    Again.NEVER: FailJob,
}
