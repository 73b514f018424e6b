"""``schedule_trial_emails``: puts in the mails of a user's trial, each as a job of its own for its time."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec
from psycopg import AsyncConnection

from actors.handlers.contract import Handler, JobContext, JobSettled
from actors.mail.contract import TRIAL_MAILS, TrialMailType
from actors.mail.judging import unwanted_because
from db.queries.enqueueing import NewBackgroundJob, insert_background_job_from
from db.queries.mail import Reader, job_named, lock_reader, note_mail
from worker.configuration_keys import TRIAL_DAY_2_DELAY, TRIAL_DAY_5_DELAY, TRIAL_EXPIRY_DELAY, Key
from worker.errors import FailJob

DELAYS: Final[dict[TrialMailType, Key[timedelta]]] = {
    "trial_day2": TRIAL_DAY_2_DELAY,
    "trial_day5": TRIAL_DAY_5_DELAY,
    "trial_expiry": TRIAL_EXPIRY_DELAY,
}
"""How long after the trial's start each mail goes out."""

TOO_LATE: Final = timedelta(days=1)
"""A mail that should have gone out longer ago than this is left out, so that a late start sends no bundle."""

PRIORITY: Final = 100
MAX_RETRIES: Final = 8
"""With the handler's pauses, more than three hours: a mail server may be away for so long."""


class ScheduleTrialEmailsPayload(msgspec.Struct, rename="camel"):
    """Whose trial: ``{"userId": "user_2abc"}``."""

    user_id: str


async def run(context: JobContext, payload: ScheduleTrialEmailsPayload) -> JobSettled:
    """Put in a ``send_trial_email`` for each mail of the series that has no note yet, and note it as scheduled.

    Times count from ``trial_start_date``, or from now where there is none. Gives the times of the mails that were put
    in, and why others were not: ``{"scheduled": {...}, "left": {...}}``.
    """
    # Read before: a transaction that holds a task asks for no further connection.
    delays = {mail: await context.configuration.value(DELAYS[mail]) for mail in TRIAL_MAILS}
    async with context.transaction() as connection:
        reader = await lock_reader(connection, payload.user_id)
        if reader is None:
            raise FailJob(
                "unknown_user",
                f"userId is {payload.user_id!r}, and users has no such user_id; expected one; correct the payload and "
                "set the job to pending",
            )
        begin = reader.trial_start.replace(tzinfo=UTC) if reader.trial_start else reader.now
        scheduled: dict[str, str] = {}
        left: dict[str, str] = {}
        for mail, delay in delays.items():
            at = begin + delay
            why_not = _why_not(reader, mail, at)
            if why_not is None:
                await _schedule(connection, reader, payload.user_id, mail, at)
                scheduled[mail] = at.isoformat()
            else:
                left[mail] = why_not
        return await context.completing(connection, {"scheduled": scheduled, "left": left})


def _why_not(reader: Reader, mail: TrialMailType, at: datetime) -> str | None:
    note = reader.mails.get(mail)
    if note is not None:
        return f"already_{note.get('status')}" if isinstance(note, dict) else "already_noted"
    if (unwanted := unwanted_because(reader, mail)) is not None:
        return unwanted
    return "too_late" if at < reader.now - TOO_LATE else None


async def _schedule(
    connection: AsyncConnection[Any], reader: Reader, user_id: str, mail: TrialMailType, at: datetime
) -> None:
    key = f"trial_email:{user_id}:{mail}"
    job = NewBackgroundJob("send_trial_email", {"userId": user_id, "type": mail}, PRIORITY, MAX_RETRIES, at)
    inserted = await insert_background_job_from(connection, job, key)
    # A note that somebody removed does not make a second job.
    job_id = inserted[0] if inserted else await job_named(connection, key)
    note = {"status": "scheduled", "messageId": job_id, "scheduledFor": at.isoformat()}
    await note_mail(connection, reader.id, mail, note)


HANDLERS = (Handler("schedule_trial_emails", ScheduleTrialEmailsPayload, run),)
