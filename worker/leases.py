"""A lease as its holder knows it, safe to use from the slice and the heartbeat at once."""

from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

from db.queries.claiming import Claimed
from worker.clock import monotonic


class Lease:
    """One claimed task. Its local limit counts from before the last good beat was sent, and comes before the real one.

    Past the limit, or once the token was refused, the slice must stop even if nobody tells it so.
    """

    def __init__(self, claimed: Claimed, sent_at: float, lease_seconds: float) -> None:
        self.task_id = claimed.id
        self.job_table = claimed.job_table
        self.job_id = claimed.job_id
        self.lane = claimed.lane
        self.tenant = claimed.tenant
        self.token: UUID = claimed.token
        self.epoch = claimed.epoch
        self.failures = claimed.failures
        self.max_failures = claimed.max_failures
        self.waits = claimed.waits
        self.ttl = timedelta(seconds=lease_seconds)
        self.claimed_at = monotonic()
        self._trusted_seconds = lease_seconds * 0.75
        self._good_until = sent_at + self._trusted_seconds
        self._refused = False
        self.cancelled: str | None = None
        """Why somebody wants the job stopped; None as long as nobody does."""
        self.newest_page = 0
        """Number of the newest page that this holder stored; 0 before the first."""
        self._on_abandon: Callable[[], object] | None = None

    @property
    def names(self) -> dict[str, int | str]:
        """What every line of a log says of the slice that works under this lease."""
        return {"task": self.task_id, "job": self.job_id, "lane": self.lane, "epoch": self.epoch}

    def renewed(self, sent_at: float) -> None:
        """A beat or commit sent at this moment (monotonic seconds) was accepted."""
        self._good_until = max(self._good_until, sent_at + self._trusted_seconds)

    def refuse(self) -> None:
        """The token is no longer the task's."""
        self._refused = True

    def when_abandoned(self, end: Callable[[], object]) -> None:
        """How to end the slice that works under this lease, from any thread."""
        self._on_abandon = end

    def abandon(self) -> None:
        """End the slice: it took too long and holds a slot for nothing."""
        if self._on_abandon is not None:
            self._on_abandon()

    @property
    def held(self) -> bool:
        """Whether the holder may still act for the task."""
        return not self._refused and monotonic() < self._good_until

    def stored(self, seq: int) -> None:
        """The page of this number is in the ledger."""
        self.newest_page = seq

    def progressed(self) -> None:
        """A page was stored: errors and waits before it no longer count."""
        self.failures = 0
        self.waits = 0
