"""How commands say what they did to jobs, or would do."""

from collections import Counter
from typing import Any

import typer

from scripts.ops.frame import NOT_FOUND
from scripts.tables import console, plain, show_json, show_table
from worker.operating.outcome import Outcome, Preview

SHOWN = 20
"""Jobs that are told one by one; of more, how many."""


def tell_preview(preview: Preview, would: str, as_json: bool) -> None:
    """Say what would happen, and end the command with 1 when nothing would."""
    if as_json:
        show_json({"dry_run": True, "would": preview.ids, "skipped": preview.skipped, "more": preview.more})
    else:
        rows = [_line(row) for row in preview.rows[:SHOWN]]
        if rows:
            show_table(f"Would be {would}", rows, ["id", "kind", "status", "why"])
        _tell_skipped(preview.skipped)
        console.print(f"{len(preview.rows):,} would be {would}; nothing was changed{_parts(preview)}", soft_wrap=True)
        _tell_more(preview.more)
    if not preview.rows:
        raise typer.Exit(NOT_FOUND)


def tell_outcome(outcome: Outcome, done: str, asked: list[str]) -> None:
    """Say what was done to each job, in the order in which they were named; of many, how many."""
    if len(outcome.done) + len(outcome.skipped) <= SHOWN:
        named = [job_id for job_id in asked if job_id in outcome.skipped or job_id in outcome.done]
        for job_id in dict.fromkeys([*named, *outcome.done, *outcome.skipped]):
            told = (
                f"skipped: {outcome.skipped[job_id]}" if job_id in outcome.skipped else outcome.notes.get(job_id, done)
            )
            console.print(f"{job_id}  {plain(told)}", soft_wrap=True)
        if not (outcome.done or outcome.skipped):
            console.print("no job is meant")
        return
    counts = Counter(outcome.notes.get(job_id, done) for job_id in outcome.done)
    for what, count in counts.most_common():
        console.print(f"{count:,}  {plain(what)}", soft_wrap=True)
    _tell_skipped(outcome.skipped)
    _tell_more(outcome.more)


def _tell_skipped(skipped: dict[str, str]) -> None:
    if len(skipped) <= SHOWN:
        for job_id, why in skipped.items():
            console.print(f"{job_id}  skipped: {plain(why)}", soft_wrap=True)
        return
    for why, count in Counter(skipped.values()).most_common():
        console.print(f"{count:,}  skipped: {plain(why)}", soft_wrap=True)


def _tell_more(more: bool) -> None:
    if more:
        console.print("more jobs are meant than one command changes: give it again for the rest", soft_wrap=True)


def _parts(preview: Preview) -> str:
    counts = Counter((row.job_table.replace("_", " "), row.status) for row in preview.rows)
    told = ", ".join(f"{count:,} {table} {plain(status)}" for (table, status), count in counts.most_common(6))
    return f" ({told})" if told else ""


def _line(row: Any) -> dict[str, Any]:
    kind = f"{row.platform} {row.kind}" if row.platform else row.kind
    error = row.error or ""
    return {"id": row.id, "kind": kind, "status": row.status, "why": error if len(error) <= 160 else error[:159] + "…"}
