"""What a slice's provider calls cost, until it is written down."""

from collections import defaultdict

from db.queries.spending import Spend


class Meter:
    """Adds up calls and credits by endpoint. ``calls`` counts all of a slice, written down or not."""

    def __init__(self) -> None:
        self.calls = 0
        self._open: dict[tuple[str, str, str], list[int]] = defaultdict(lambda: [0, 0])

    def add(self, provider: str, account: str, endpoint: str, credits_spent: int) -> None:
        """Count one call."""
        self.calls += 1
        counts = self._open[provider, account, endpoint]
        counts[0] += 1
        counts[1] += credits_spent

    def charge(self, provider: str, account: str, endpoint: str, credits_spent: int) -> None:
        """Add credits to a call that was counted before its price was known."""
        self._open[provider, account, endpoint][1] += credits_spent

    def open(self) -> tuple[Spend, ...]:
        """What is not written down yet."""
        return tuple(Spend(*key, calls=calls, credits=spent) for key, (calls, spent) in self._open.items())

    def written(self, spends: tuple[Spend, ...]) -> None:
        """These are written down."""
        for spend in spends:
            counts = self._open[spend.provider, spend.account, spend.endpoint]
            counts[0] -= spend.calls
            counts[1] -= spend.credits
        self._open = defaultdict(lambda: [0, 0], {key: counts for key, counts in self._open.items() if any(counts)})
