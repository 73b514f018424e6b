"""Slows those who try passwords: a few wrong ones of an address, and more of all together, are answered by a wait."""

from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Final

from worker.clock import monotonic

WINDOW_SECONDS: Final = 300.0
OF_ADDRESS: Final = 5
OF_ALL: Final = 50
"""Wrong passwords of all addresses: who has many addresses is slowed too."""

MOST_ADDRESSES: Final = 5000


class LoginLimit:
    """Counts wrong passwords of one process."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._wrong: OrderedDict[str, deque[float]] = OrderedDict()
        self._all: deque[float] = deque()

    def wait(self, address: str) -> int:
        """Seconds until this address may try again; 0 when it may now."""
        now = self._clock()
        waits = [
            times[-limit] + WINDOW_SECONDS - now
            for times, limit in ((self._wrong.get(address, deque()), OF_ADDRESS), (self._all, OF_ALL))
            if len(times) >= limit
        ]
        return max(0, *(int(wait) + 1 if wait > 0 else 0 for wait in waits)) if waits else 0

    def failed(self, address: str) -> None:
        """Count a wrong password."""
        now = self._clock()
        for times, limit in ((self._wrong.setdefault(address, deque()), OF_ADDRESS), (self._all, OF_ALL)):
            times.append(now)
            while len(times) > limit:
                times.popleft()
        self._wrong.move_to_end(address)
        while len(self._wrong) > MOST_ADDRESSES:
            self._wrong.popitem(last=False)

    def passed(self, address: str) -> None:
        """Forget the wrong ones of an address that knew the password."""
        self._wrong.pop(address, None)
