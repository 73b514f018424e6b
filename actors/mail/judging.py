"""Whether a mail may go out now, by what is known of its reader and of the mail itself. Pure."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, TypeAlias

from actors.mail.contract import TRIAL_MAILS, MailType, Transport
from db.queries.mail import Reader
from worker.mail_settings import is_address

UNKNOWN: Final = "unknown"
"""``outcome`` of a note whose mail may have gone out: it is not sent again by itself."""


@dataclass(frozen=True, slots=True)
class Send:
    """It may go out. ``since`` is when it was first handed over, if that may have happened already."""

    since: str | None = None


@dataclass(frozen=True, slots=True)
class Skip:
    """It is not wanted, and that is no error; ``noted`` when its note is right as it is."""

    reason: str
    noted: bool = False


@dataclass(frozen=True, slots=True)
class Refuse:
    """It cannot be sent; ``outcome`` goes into its note."""

    reason: str
    message: str
    outcome: str = "not_sent"


@dataclass(frozen=True, slots=True)
class AskAgain:
    """Another job, ``job_id``, had begun to send it; whether that goes on decides."""

    job_id: str
    otherwise: Send | Refuse


Verdict: TypeAlias = Send | Skip | Refuse | AskAgain


def judge(reader: Reader, mail_type: MailType, mail: str, job_id: str, transport: Transport) -> Verdict:
    """What to do about a mail; ``mail`` is the key of its note, ``job_id`` the job that asks."""
    note = _note_of(reader, mail)
    status = str(note.get("status", ""))
    if status == "sent" or status.startswith("cancelled"):
        return Skip(f"already_{status}", noted=True)
    if note.get("outcome") == UNKNOWN and status == "failed":
        return _unknown(reader, mail, note)
    if status == "sending":
        going_on = _resumed(reader, mail, note, transport)
        other = note.get("jobId")
        return AskAgain(str(other), going_on) if other and other != job_id else going_on
    if (unwanted := unwanted_because(reader, mail_type)) is not None:
        return Skip(unwanted)
    if not (reader.email or "").strip():
        return Refuse("no_address", "the user has no e-mail address; expected one in users.email; set it")
    if not is_address((reader.email or "").strip()):
        return Refuse("bad_address", f"users.email is {reader.email!r}; expected one e-mail address; correct it")
    return Send()


def unwanted_because(reader: Reader, mail_type: MailType) -> str | None:
    """Why a mail of this type makes no sense for the user any more; None when it does."""
    trial = reader.trial_status
    if mail_type in TRIAL_MAILS:
        if trial == "converted" or reader.subscription_status == "active":
            return "trial_converted"
        if trial == "cancelled":
            return "trial_cancelled"
        if trial == "expired" and mail_type != "trial_expiry":
            return "trial_expired"
    if mail_type == "abandonment":
        paid = reader.subscription_status == "active"
        if paid or trial not in (None, "pending") or reader.onboarding_step == "completed":
            return "set_up_finished"
    return None


def _resumed(reader: Reader, mail: str, note: dict[str, Any], transport: Transport) -> Send | Refuse:
    """A mail that somebody began to send, without saying how it went."""
    since = _time(note.get("timestamp"))
    if transport.remembers is None or note.get("via") != transport.name or since is None:
        return _unknown(reader, mail, note)
    if reader.now - since >= transport.remembers:
        return _unknown(reader, mail, note)
    return Send(str(note["timestamp"]))


def _unknown(reader: Reader, mail: str, note: dict[str, Any]) -> Refuse:
    return Refuse(
        "mail_maybe_sent",
        f"{mail} was handed over by {note.get('via', 'somebody')} at {note.get('timestamp', 'some time')}, and nobody "
        f"knows whether it went out; look for {note.get('messageId', 'it')} in the mail server's log; to send it again "
        f"remove {mail!r} from email_schedule_status of the user_system_data row whose user_id is {reader.id}, then "
        "set the job to pending",
        UNKNOWN,
    )


def _note_of(reader: Reader, mail: str) -> dict[str, Any]:
    note = reader.mails.get(mail)
    return note if isinstance(note, dict) else {}


def _time(text: object) -> datetime | None:
    try:
        when = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return when if when.tzinfo else None
