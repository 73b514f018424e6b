"""A job in a line: what it looks for, how it stands, why it waits."""

import json
from datetime import UTC, datetime
from typing import Any, Protocol

from console.words import eta, plain, relative
from db.queries.console.job_lines import JobLine
from platforms.registry import PLATFORM_NAMES, fold_platform

RUNNABLE = ("pending", "queued", "processing")


class Line(Protocol):
    """What a job of any table has."""

    @property
    def status(self) -> str: ...  # noqa: D102 - columns, each named by itself
    @property
    def state(self) -> str | None: ...  # noqa: D102
    @property
    def reason(self) -> str | None: ...  # noqa: D102
    @property
    def error(self) -> str | None: ...  # noqa: D102
    @property
    def run_at(self) -> datetime | None: ...  # noqa: D102
    @property
    def cancel_at(self) -> datetime | None: ...  # noqa: D102
    @property
    def lane(self) -> str | None: ...  # noqa: D102
    @property
    def paused(self) -> bool | None: ...  # noqa: D102
    @property
    def cooling(self) -> bool | None: ...  # noqa: D102


def platform_of(name: str | None) -> str:
    """A platform as people write it."""
    return PLATFORM_NAMES.get(fold_platform(name or ""), name or "–")


def looks_for(line: JobLine) -> str:
    """What a job searches: its words, or whom it finds creators like."""
    if line.target_username:
        return f"like {line.target_username}"
    keywords = line.keywords
    if isinstance(keywords, list):
        return ", ".join(word if isinstance(word, str) else json.dumps(word) for word in keywords) or "nothing"
    return "nothing" if keywords is None else str(keywords)[:200]


def shown_state(line: Line) -> str:
    """The word that says most: the engine's while a job is open, the row's when it has ended."""
    if line.status not in RUNNABLE:
        return "parked" if line.state == "parked" else line.status
    if line.state == "leased":
        return "running"
    return line.state if line.state in ("waiting", "ready", "parked") else line.status


def why(line: Line) -> str:
    """Why a job is not running, in a few words; of one that ended, how."""
    if line.status not in RUNNABLE:
        return line.error or plain(line.reason)
    if line.cancel_at is not None:
        return "stops at its next page"
    if line.state == "leased":
        return ""
    if line.state is None:
        return "not adopted yet"
    if line.state in ("closed", "parked"):
        return plain(line.reason)
    if line.state == "waiting":
        due = line.run_at is not None and line.run_at <= datetime.now(UTC)
        return f"{plain(line.reason)}, {'due now' if due else relative(line.run_at)}"
    if line.paused:
        return f"lane {line.lane} is paused"
    if line.cooling:
        return f"lane {line.lane} cools down"
    return "next in its lane, or behind others"


def pieces(line: JobLine) -> dict[str, Any]:
    """What the template of a line shows."""
    left = eta(line.target, line.results, line.stored, line.seconds) if line.state == "leased" else None
    return {
        "line": line,
        "what": looks_for(line),
        "platform": platform_of(line.platform),
        "state": shown_state(line),
        "why": why(line),
        "left": left,
        "open": line.status in RUNNABLE,
    }
