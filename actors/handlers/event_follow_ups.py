"""Which jobs an event asks for: pure, one line an event type. An event that is not listed asks for none."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, Final

from db.queries.event_processing import StoredEvent
from db.queries.follow_ups import FollowUp
from worker.errors import TrawlerError

WELCOME_DELAY: Final = timedelta(seconds=30)
"""Between a subscription and its welcome, so that the page after the checkout is seen first."""


RETRIES: Final = 8
"""With their handlers' pauses, hours: a mail server may be away for so long."""


class UnreadableEvent(TrawlerError):
    """Raised when an event lacks what its follow-up needs; the text names the field."""

    code = "unreadable_event"


def follow_ups(event: StoredEvent) -> list[FollowUp]:
    """The jobs that follow, each once for the event's idempotency key. Raises `UnreadableEvent`."""
    return [
        FollowUp(
            job_type,
            payload(event),
            key=f"event:{event.idempotency_key}:{job_type}",
            max_retries=RETRIES,
            delay=delay,
        )
        for job_type, payload, delay in FOLLOW_UPS.get(event.event_type, ())
    ]


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


def _welcome(event: StoredEvent) -> dict[str, Any]:
    return {**_user(event), "type": "subscription_welcome"}


def _job(event: StoredEvent) -> dict[str, Any]:
    return {"jobId": event.aggregate_id}


FOLLOW_UPS: Final[Mapping[str, tuple[tuple[str, Callable[[StoredEvent], dict[str, Any]], timedelta], ...]]] = {
    "trial_started": (("schedule_trial_emails", _user, timedelta(0)),),
    "subscription_created": (("send_email", _welcome, WELCOME_DELAY),),
    "job_completed": (("finish_campaign", _job, timedelta(0)),),
    "job_failed": (("finish_campaign", _job, timedelta(0)),),
    "job_timeout": (("finish_campaign", _job, timedelta(0)),),
}
"""Job type, payload and delay of each follow-up, by event type."""
