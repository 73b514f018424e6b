"""A mail, what hands it over, and how that can end."""

from dataclasses import dataclass
from datetime import timedelta
from email.headerregistry import Address
from enum import Enum
from typing import Literal, Protocol, TypeAlias

from worker.errors import TrawlerError

MailType: TypeAlias = Literal[
    "welcome",
    "abandonment",
    "trial_day2",
    "trial_day5",
    "trial_expiry",
    "subscription_welcome",
    "campaign_finished",
]
TrialMailType: TypeAlias = Literal["trial_day2", "trial_day5", "trial_expiry"]
TRIAL_MAILS: tuple[TrialMailType, ...] = ("trial_day2", "trial_day5", "trial_expiry")


@dataclass(frozen=True, slots=True)
class Mail:
    """One mail, ready to go. ``message_id`` is the same whenever the same mail is made again."""

    sender_name: str
    sender_address: str
    recipient: str
    subject: str
    text: str
    html: str
    message_id: str
    key: str
    """The idempotency key: at most 256 ASCII characters, one for each user and mail."""


def address(of: str, name: str = "") -> Address:
    """An address as headers hold it, its name quoted where it must be."""
    # From its halves: read from the whole, the library refuses some that mail servers take.
    local, _, domain = of.rpartition("@")
    return Address(name, local, domain)


class Again(Enum):
    """What helps after a mail was not sent."""

    LATER = "later"
    """The job tries again and spends an attempt."""
    ONCE_MENDED = "once_mended"
    """The job waits, and spends none: a limit must pass, or an operator must mend a setting."""
    NEVER = "never"


class NotSent(TrawlerError):
    """Raised when a mail was certainly not sent; ``reason`` is a stable word, the text holds no secret."""

    code = "mail_not_sent"

    def __init__(self, reason: str, message: str, again: Again, delay: timedelta | None = None) -> None:
        super().__init__(message)
        self.reason = reason
        self.again = again
        self.delay = delay


class MaybeSent(TrawlerError):
    """Raised when nobody knows whether a mail went out: it was handed over, and no answer came."""

    code = "mail_maybe_sent"

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class Transport(Protocol):
    """Hands mails over; one that goes out is on its way, not read."""

    name: str
    remembers: timedelta | None
    """How long the other side knows a mail's key and sends none twice; None when it knows no keys."""

    async def send(self, mail: Mail) -> str:
        """Hand the mail over; give the id by which the other side knows it. Raises `NotSent` and `MaybeSent`."""
        ...
