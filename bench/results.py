"""Where results go: one JSON file a run, with the machine, the settings and every raw row."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

from scripts.tables import console, show_table
from worker.settings import ROOT

Row = Mapping[str, Any]
LOCAL = ROOT / "bench" / "results" / "local"
"""Results of one's own machine; those that docs/performance.md tells of are kept one level up."""


def keep(
    bench: str, machine: Mapping[str, Any], settings: Mapping[str, Any], rows: Sequence[Row], folder: Path
) -> Path:
    """Write a run's rows with the machine as it was before, and show the median of each number by ``who``."""
    now = datetime.now(UTC)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{now:%Y-%m-%dT%H%M%S}-{bench}.json"
    told = {
        "bench": bench,
        "at": now.isoformat(),
        "machine": dict(machine),
        "settings": dict(settings),
        "rows": list(rows),
    }
    path.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    medians = summary(rows)
    show_table(f"{bench}: medians", medians, list(medians[0]))
    console.print(f"rows and machine: {path.relative_to(ROOT) if path.is_relative_to(ROOT) else path}")
    return path


def summary(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """The median of each number by ``who``, in the order of their first rows, with the runs counted."""
    by_who: dict[str, list[Row]] = {}
    for row in rows:
        by_who.setdefault(row["who"], []).append(row)
    return [
        {"who": who, "runs": len(theirs)}
        | {
            name: round(median(row[name] for row in theirs), 3)
            for name, value in theirs[0].items()
            if isinstance(value, int | float) and name != "run"
        }
        for who, theirs in by_who.items()
    ]
