"""The small limit that one process keeps by itself while Redis is away."""

from collections.abc import Callable

from worker.clock import monotonic

CAUTION = 0.8
"""Part of its share of the known rate that a process uses, as others may have been started meanwhile."""


class LocalRate:
    """Even spacing of the calls of one process to one group."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._next = 0.0

    def place(self, rate: float, patience: float, not_before: float) -> tuple[float, bool]:
        """Seconds until the next free place at ``rate`` calls a second, and whether it was given: not past patience.

        ``not_before`` is a moment of the same clock.
        """
        now = self._clock()
        at = max(now, self._next, not_before)
        if at - now > patience:
            return at - now, False
        self._next = at + 1 / rate
        return at - now, True


def share_of(known: float | None, processes: int, usual: float) -> float:
    """The rate one process may use alone: its share of the one last known, never more than ``usual``."""
    return usual if known is None else min(usual, CAUTION * known / max(processes, 1))
