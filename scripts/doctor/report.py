"""How findings are shown to people."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import get_args

from scripts.doctor.findings import Finding, Severity
from scripts.tables import console, plain, show_table


def show(findings: Sequence[Finding]) -> None:
    """Print the findings, worst first, each with what to do."""
    for severity in ("error", "warning"):
        for found in (finding for finding in findings if finding.severity == severity):
            console.print(f"{severity} {found.code}: {plain(found.seen)}", soft_wrap=True)
            console.print(f"  expected: {plain(found.expected)}\n  to do: {plain(found.todo)}\n", soft_wrap=True)
    show_table("Fine", [asdict(finding) for finding in findings if finding.severity == "ok"], ["code", "seen"])
    console.print(", ".join(f"{sum(f.severity == name for f in findings)} {name}" for name in get_args(Severity)))
