"""What was asked of the simulator and what it charged."""

from collections import Counter, deque
from collections.abc import Mapping
from typing import Any

from worker.clock import utc_now

_KEPT_CALLS = 100_000


class Ledger:
    """The credit balance, and the provider calls so far: the last 100,000 in full, all of them as totals."""

    def __init__(self, balance: int) -> None:
        self.balance = balance
        self.charged = 0
        self._calls: deque[dict[str, Any]] = deque(maxlen=_KEPT_CALLS)
        self._by_path: Counter[str] = Counter()

    def charge(self, price: int) -> None:
        """Take ``price`` credits from the balance."""
        self.balance -= price
        self.charged += price

    def record(self, path: str, params: Mapping[str, str], status: int) -> None:
        """Keep one call. ``status`` is 0 for a connection that was closed without an answer."""
        self._by_path[path] += 1
        self._calls.append({"path": path, "params": dict(params), "status": status, "at": utc_now()})

    def report(self) -> dict[str, Any]:
        """All that is known, as the control endpoint tells it."""
        return {
            "calls": list(self._calls),
            "total": self._by_path.total(),
            "by_path": dict(self._by_path),
            "credits_charged": self.charged,
            "credits_remaining": self.balance,
        }

    def forget(self) -> None:
        """Drop the calls and the charged total; the balance stays what it is."""
        self._calls.clear()
        self._by_path.clear()
        self.charged = 0
