"""What a run of the move tells: counts, reasons, what was verified."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

LISTED: Final = 1_000
"""Skipped rows that a report names; the backup names all."""

Progress = Callable[[str, int, int], None]
"""Told of the stage, the rows done and the rows in all."""


@dataclass(slots=True)
class Adoption:
    """What a run did, or what it would do."""

    dry_run: bool
    backup: str | None = None
    continued: bool = False
    rows: int = 0
    results: dict[str, int] = field(default_factory=dict)
    reasons: dict[str, int] = field(default_factory=dict)
    """How many rows were skipped for each field, by the word before the colon of their reasons."""
    skipped: list[dict[str, Any]] = field(default_factory=list)
    unknown_columns: dict[str, int] = field(default_factory=dict)
    """Columns without a place in the five tables, with the rows that have a value there."""
    absent_columns: list[str] = field(default_factory=list)
    verified: dict[str, int] = field(default_factory=dict)
    changed_since: int = 0
    checksums: tuple[str, str] | None = None
    differences: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def good(self) -> bool:
        """Whether what is stored is what the older rows say."""
        return self.checksums is None or (not self.differences and self.checksums[0] == self.checksums[1])
