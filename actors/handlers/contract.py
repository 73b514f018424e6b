"""What a handler declares: its job type, its payload, what it does, and how it is retried."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import msgspec

from db.session import Pool
from worker.leases import Lease


@dataclass(frozen=True, slots=True)
class JobContext:
    """What a handler may use. ``attempt`` counts from 1 and grows with errors, never with waits or crashes."""

    pool: Pool
    lease: Lease
    job_type: str
    attempt: int

    @property
    def cancelled(self) -> bool:
        """Whether somebody wants the job stopped; a long handler looks now and then."""
        return self.lease.cancelled is not None

    @property
    def held(self) -> bool:
        """Whether the handler may still act; once False, its results are thrown away."""
        return self.lease.held


@dataclass(frozen=True, slots=True)
class Handler:
    """One job type. ``run`` gives the job's result (anything msgspec encodes), or raises a `worker.errors.JobSignal`.

    Any other exception is an error that is retried. Delivery is at least once: a handler whose worker dies after its
    effect and before its completion runs again.
    """

    job_type: str
    payload: type[msgspec.Struct]
    run: Callable[[JobContext, Any], Awaitable[Any]]
    retry_base_seconds: float = 5.0
    retry_cap_seconds: float = 600.0
