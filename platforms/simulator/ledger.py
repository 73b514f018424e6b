"""What was asked of the simulator, by whom, and what it charged."""

from collections import Counter, deque
from dataclasses import dataclass
from typing import Any

from platforms.simulator.calls import Call
from worker.clock import utc_now

_KEPT_CALLS = 100_000


@dataclass(slots=True)
class _Account:
    charged: int = 0
    calls: int = 0
    refused: int = 0


class Ledger:
    """A balance for each account, and the calls so far: the last 100,000 in full, all of them as totals."""

    def __init__(self, amount: int) -> None:
        self._credits = amount
        self._calls: deque[dict[str, Any]] = deque(maxlen=_KEPT_CALLS)
        self._by_path: Counter[str] = Counter()
        self._charged: Counter[str] = Counter()
        self._accounts: dict[tuple[str, str], _Account] = {}
        self._prepaid: dict[str, int] = {}

    def balance(self, account: str) -> int:
        """The credits an account has left."""
        return self._prepaid.setdefault(account, self._credits)

    def set_balance(self, account: str, amount: int) -> None:
        """Give an account this many credits."""
        self._prepaid[account] = amount

    def charge(self, provider: str, account: str, price: int, *, prepaid: bool) -> None:
        """Write ``price`` down, and take it from the balance where calls are ``prepaid``."""
        self._charged[provider] += price
        self._of(provider, account).charged += price
        if prepaid:
            self._prepaid[account] = self.balance(account) - price

    def record(self, call: Call, status: int, provider: str = "", account: str = "") -> None:
        """Keep one call. ``status`` is 0 for a connection that was closed without an answer."""
        self._by_path[call.path] += 1
        kept: dict[str, Any] = {"path": call.path, "params": dict(call.params), "status": status, "at": utc_now()}
        if call.method != "GET":
            kept |= {"method": call.method, "body": call.sent}
        self._calls.append({**kept, "provider": provider, "account": account})
        known = self._of(provider, account)
        known.calls += 1
        known.refused += status >= 400

    def report(self) -> dict[str, Any]:
        """All that is known, as the control endpoint tells it."""
        return {
            "calls": list(self._calls),
            "total": self._by_path.total(),
            "by_path": dict(self._by_path),
            "credits_charged": self._charged["scrapecreators"],
            "credits_remaining": sum(self._prepaid.values()) if self._prepaid else self._credits,
            "charged": dict(self._charged),
            "accounts": [
                {"provider": provider, "account": account, "calls": known.calls, "refused": known.refused}
                | {"charged": known.charged, "remaining": self._prepaid.get(account)}
                for (provider, account), known in self._accounts.items()
            ],
        }

    def forget(self) -> None:
        """Drop the calls and the charged totals; the balances stay what they are."""
        self._calls.clear()
        self._by_path.clear()
        self._charged.clear()
        self._accounts.clear()

    def _of(self, provider: str, account: str) -> _Account:
        return self._accounts.setdefault((provider, account), _Account())
