"""Driving a running simulator from a test: the control endpoints as methods, over HTTP and blocking."""

import http.client
from typing import Any, Literal
from urllib.parse import urlsplit

import msgspec

from platforms.simulator.settings import SEARCH_PATH

_TIMEOUT_SECONDS = 70
"""Longer than the longest wait the gate allows."""


class Controls:
    """The control endpoints of the simulator at ``url``. Raises `ValueError` when one refuses what it is told."""

    def __init__(self, url: str) -> None:
        self.url = url

    def report(self) -> dict[str, Any]:
        """All that was called and charged, by call, path and account, and what each limit allowed and refused."""
        return self._ask("GET", "/_simulator/calls")

    def calls(self, path: str | None = None) -> list[dict[str, Any]]:
        """The calls in the order they came, each ``path``, ``params``, ``status``, ``at``; of one path, if given."""
        return [call for call in self.report()["calls"] if path is None or call["path"] == path]

    def credits_charged(self) -> int:
        """What was charged since the start, or since the calls were last cleared."""
        return int(self.report()["credits_charged"])

    def clear_calls(self) -> None:
        """Forget the calls and the charged total."""
        self._ask("DELETE", "/_simulator/calls")

    def set_fault(self, kind: str, path: str = SEARCH_PATH, **wishes: Any) -> None:
        """Plan a fault; ``wishes`` are the fields of `platforms.simulator.faults.Fault`."""
        self._ask("POST", "/_simulator/faults", {"path": path, "kind": kind, **wishes})

    def clear_faults(self) -> None:
        """Plan no faults any more, and let go of what the gate holds."""
        self._ask("DELETE", "/_simulator/faults")

    def set_limit(self, path: str, per_second: float | None = None, **wishes: Any) -> None:
        """Limit each account, from now on; ``wishes`` are the fields of `platforms.simulator.limits.Limit`."""
        self._ask("POST", "/_simulator/limits", {"path": path, "per_second": per_second, **wishes})

    def limits(self) -> dict[str, dict[str, Any]]:
        """The limits in force by path, each with what every account was allowed and refused."""
        return {limit["path"]: limit for limit in self._ask("GET", "/_simulator/limits")["limits"]}

    def clear_limits(self) -> None:
        """Only the built-in limits again, with nothing used."""
        self._ask("DELETE", "/_simulator/limits")

    def new_day(self) -> None:
        """Give every account its daily quotas back."""
        self._ask("POST", "/_simulator/new_day")

    def set_credits(self, account: str, amount: int) -> None:
        """Set the balance of one account, named by its key."""
        self._ask("POST", "/_simulator/accounts", {"account": account, "credits": amount})

    def expire(self, what: Literal["tokens", "cursors"]) -> None:
        """Make every token, or every cursor, that was handed out so far void, where providers let them expire."""
        self._ask("POST", f"/_simulator/expire/{what}")

    def hold_runs(self, hold: bool = True) -> None:
        """Keep runs from ending, or let them go on."""
        self._ask("POST", f"/_simulator/runs?hold={str(hold).lower()}")

    def open_gate(self) -> int:
        """Let go of the answers the gate holds now; how many there were."""
        return int(self._ask("POST", "/_simulator/gate/open")["released"])

    def wait_for_gate(self, calls: int = 1, timeout_seconds: float = 10) -> int:
        """Wait until the gate holds at least ``calls`` answers. Raises `TimeoutError` when it does not come to that."""
        answer = self._ask("GET", f"/_simulator/gate?calls={calls}&timeout_seconds={timeout_seconds}")
        if answer["waiting"] < calls:
            raise TimeoutError(f"The gate held {answer['waiting']} answers after {timeout_seconds} s, not {calls}.")
        return int(answer["waiting"])

    def _ask(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        connection = http.client.HTTPConnection(urlsplit(self.url).netloc, timeout=_TIMEOUT_SECONDS)
        try:
            connection.request(method, path, None if body is None else msgspec.json.encode(body))
            response = connection.getresponse()
            answer: dict[str, Any] = msgspec.json.decode(response.read())
        finally:
            connection.close()
        if response.status != http.client.OK:
            raise ValueError(answer["message"])
        return answer
