"""What a limit is told about a call, and what it may answer."""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Call:
    """One call that is about to be made, or was. ``credits`` is the list price, in the provider's unit."""

    provider: str
    account: str
    """A short fingerprint of the key, never the key."""
    endpoint: str
    credits: int
    tenant: str
    job_id: str
    group: str = ""
    """Which endpoints share a rate: a name of the provider's, "" where all of an account do."""


class Hindrance(StrEnum):
    """Why a call may not be made now."""

    RATE = "rate_limit"
    BREAKER = "breaker_open"
    BUDGET = "budget"
    CREDIT_LIMIT = "credit_limit"
    """The job's own cap: no wait helps."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """The call is not made; ask again after ``wait``. ``detail`` is a sentence for people."""

    hindrance: Hindrance
    detail: str
    wait: timedelta


@dataclass(frozen=True, slots=True)
class Permit:
    """The call may be made now; what each limit remembers of it until it is answered."""

    call: Call
    generation: int = 0
    """Which lesson about the rate it was admitted under; 0 where no Redis said so."""
    queued: bool = False
    """Whether it had to queue, so that more calls were wanted than the rate gave."""
    probes: int = 0
    """Whether it probes a breaker: 1 the account's, 2 the endpoint's, 3 both."""
    reservation: int | None = None
    """Where its credits are set aside."""


class Verdict(StrEnum):
    """What an answer says about the provider, whatever it says about the job."""

    GOOD = "good"
    SLOW_DOWN = "slow_down"
    FAILING = "failing"
    """It failed, or its answer has another shape."""
    CLOSED = "closed"
    """It refuses every call until an operator does something: a wrong key, an empty balance."""


@dataclass(frozen=True, slots=True)
class Quota:
    """What an answer's headers say of the allowance; None where they do not."""

    remaining: float | None = None
    allowed: float | None = None
    reset_seconds: float | None = None
    """Until ``remaining`` is ``allowed`` again."""
    used: float | None = None
    """The used part of a sliding window, 1 for all of it."""
    regain_seconds: float | None = None
    """Until calls are answered again, once all is used."""


@dataclass(frozen=True, slots=True)
class Answered:
    """How a call went. ``credits`` is what it charged.

    ``wait`` is how long the provider asked to wait, None where it named no time; ``endpoint_alone`` tells that what is
    closed is one endpoint, not the account.
    """

    verdict: Verdict
    reason: str
    detail: str
    credits: int
    wait: timedelta | None = None
    quota: Quota | None = None
    endpoint_alone: bool = False


class Limits(Protocol):
    """Fleet-wide limits of provider calls. No method raises for a Redis or Postgres that is away."""

    async def admit(self, call: Call) -> Permit | Refusal:
        """A permit when the call may be made now. May wait a few seconds for its turn, never longer."""

    async def answered(self, permit: Permit, answer: Answered) -> timedelta | None:
        """Learn from how an admitted call went; how long the next must wait, where the answer makes it wait.

        Called once for each permit, except where the slice was ended in mid-call.
        """

    async def aclose(self) -> None:
        """Let go of every connection."""


class Unlimited:
    """Limits that never refuse."""

    async def admit(self, call: Call) -> Permit | Refusal:
        """Admit."""
        return Permit(call)

    async def answered(self, permit: Permit, answer: Answered) -> timedelta | None:
        """Learn nothing."""
        return None

    async def aclose(self) -> None:
        """Hold nothing."""
