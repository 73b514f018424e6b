"""Which jobs an event asks for: pure, one line an event type. Events of other types are not ours to handle.

``user_created`` and ``user_registered`` are two names of the application's for the same; a user gets one mail of each
kind, whichever comes, and however often.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, timedelta
from typing import Any, Final, TypeAlias

from actors.mail.contract import MailType
from db.queries.event_processing import StoredEvent
from db.queries.follow_ups import FollowUp
from worker.errors import TrawlerError

SUBSCRIPTION_WELCOME_DELAY: Final = timedelta(seconds=30)
"""Between a subscription and its welcome, so that the page after the checkout is seen first."""

TOO_LATE: Final = timedelta(days=1)
"""A mail that should have gone out longer ago than this is left out: what lay in the table for long sends no bundle."""

RETRIES: Final = 8
"""With their handlers' pauses, hours: a mail server may be away for so long."""


@dataclass(frozen=True, slots=True)
class Delays:
    """How long after a sign-up its mails go out."""

    welcome: timedelta
    abandonment: timedelta


Asks: TypeAlias = Callable[[StoredEvent, Delays], FollowUp | None]


class UnreadableEvent(TrawlerError):
    """Raised when an event lacks what its follow-up needs; the text names the field."""

    code = "unreadable_event"


def follow_ups(event: StoredEvent, delays: Delays) -> list[FollowUp]:
    """The jobs that follow, each once for its key. Raises `UnreadableEvent`."""
    asked = (asks(event, delays) for asks in FOLLOW_UPS.get(event.event_type, ()))
    return [job for job in asked if job is not None]


def _user(event: StoredEvent) -> dict[str, Any]:
    """The user in the data, else the aggregate where that is a user."""
    data = event.event_data if isinstance(event.event_data, dict) else {}
    found = data.get("userId") or data.get("user_id")
    if found is None and event.aggregate_type in ("user", "onboarding", "trial"):
        found = event.aggregate_id
    if not isinstance(found, str) or not found:
        raise UnreadableEvent(
            f"event_data.userId of {event.event_type} is {found!r}; expected the user's id; correct the event, then "
            "set its processing_status to pending"
        )
    return {"userId": found}


def _named(event: StoredEvent, job_type: str) -> str:
    return f"event:{event.idempotency_key}:{job_type}"


def _trial_mails(event: StoredEvent, delays: Delays) -> FollowUp:
    return FollowUp("schedule_trial_emails", _user(event), _named(event, "schedule_trial_emails"), max_retries=RETRIES)


def _subscription_welcome(event: StoredEvent, delays: Delays) -> FollowUp | None:
    payload = {**_user(event), "type": "subscription_welcome"}
    if event.age > SUBSCRIPTION_WELCOME_DELAY + TOO_LATE:
        return None
    return FollowUp(
        "send_email",
        payload,
        _named(event, "send_email"),
        max_retries=RETRIES,
        delay=SUBSCRIPTION_WELCOME_DELAY,
    )


def _finish_campaign(event: StoredEvent, delays: Delays) -> FollowUp | None:
    payload = {"jobId": event.aggregate_id}
    if event.aggregate_type == "search_job":
        # A search's id is any text; its event names the campaign, where it has one.
        campaign = event.event_data.get("campaignId") if isinstance(event.event_data, dict) else None
        if campaign is None:
            return None
        payload = {"campaignId": campaign}
    return FollowUp("finish_campaign", payload, _named(event, "finish_campaign"), max_retries=RETRIES)


def _welcome(event: StoredEvent, delays: Delays) -> FollowUp | None:
    return _after_sign_up(event, "welcome", delays.welcome)


def _abandonment(event: StoredEvent, delays: Delays) -> FollowUp | None:
    return _after_sign_up(event, "abandonment", delays.abandonment)


def _after_sign_up(event: StoredEvent, mail: MailType, delay: timedelta) -> FollowUp | None:
    """A mail that counts from the sign-up itself, however late the event is seen."""
    user = _user(event)
    if event.age > delay + TOO_LATE:
        return None
    return FollowUp(
        "send_email",
        {**user, "type": mail},
        # Named after the user: the application has two names of this event.
        f"email:{user['userId']}:{mail}",
        max_retries=RETRIES,
        at=event.happened.replace(tzinfo=UTC) + delay,
    )


FOLLOW_UPS: Final[Mapping[str, tuple[Asks, ...]]] = {
    "user_created": (_welcome, _abandonment),
    "user_registered": (_welcome, _abandonment),
    "trial_started": (_trial_mails,),
    "subscription_created": (_subscription_welcome,),
    "job_completed": (_finish_campaign,),
    "job_failed": (_finish_campaign,),
    "job_timeout": (_finish_campaign,),
}
"""What each event type asks for."""
