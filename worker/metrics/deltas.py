"""What this process has counted since it last told, in additions that may be sent again."""

from typing import Final

from prometheus_client import CollectorRegistry

from db.queries.metrics import Addition
from worker.metrics.families import REGISTRY

Key = tuple[str, tuple[tuple[str, str], ...]]


class Deltas:
    """Made at the start of a process; what was counted before is nobody's."""

    def __init__(self, registry: CollectorRegistry = REGISTRY) -> None:
        self._registry: Final = registry
        self._told: dict[Key, float] = self._counted()
        self._open: tuple[Addition, dict[Key, float]] | None = None
        self._seq = 0

    def take(self) -> Addition | None:
        """What is to be added, None where nothing is new. One that is not `done` is given again, unchanged.

        It must be the same: whether the first was made nobody knows, and only equal numbers can be told apart.
        """
        if self._open is None:
            counted = self._counted()
            new = {key: value for key, value in counted.items() if value > self._told.get(key, 0.0)}
            if not new:
                return None
            self._seq += 1
            addition = Addition(
                self._seq,
                [name for name, _ in new],
                [dict(labels) for _, labels in new],
                [value - self._told.get(key, 0.0) for key, value in new.items()],
            )
            self._open = addition, counted
        return self._open[0]

    def done(self) -> None:
        """The addition that was taken is in the database."""
        if self._open is not None:
            self._told, self._open = self._open[1], None

    def _counted(self) -> dict[Key, float]:
        return {
            (sample.name, tuple(sorted(sample.labels.items()))): sample.value
            for family in self._registry.collect()
            for sample in family.samples
            # When a counter began says nothing once processes are summed.
            if not sample.name.endswith("_created")
        }
