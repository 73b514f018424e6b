"""The closed set of things a provider's answer can mean, and the table that says so.

An adapter's ``outcomes.py`` is a tuple of `Rule`, first match wins; each rule is a test case.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from enum import StrEnum

from worker.clock import utc_now


class Outcome(StrEnum):
    """What to do about an answer."""

    OK = "ok"
    EMPTY_END = "empty_end"
    FALSE_SUCCESS = "false_success"
    RETRY_NOW = "retry_now"
    WAIT = "wait"
    RATE_LIMITED = "rate_limited"
    FAIL_OVER = "fail_over"
    RESET_CURSOR = "reset_cursor"
    SKIP_ITEM = "skip_item"
    NOT_FOUND = "not_found"
    STOP_JOB = "stop_job"
    FIX_CONFIGURATION = "fix_configuration"


@dataclass(frozen=True, slots=True)
class Judgement:
    """An outcome with the rule that gave it, a sentence for people, and a wait where the provider named one."""

    outcome: Outcome
    rule: str
    message: str = ""
    wait: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    """One line of an outcome table. ``matches`` gets the status and the lower-cased message of the error body."""

    name: str
    matches: Callable[[int, str], bool]
    outcome: Outcome
    message: str
    wait: timedelta | None = None


def judge_by(rules: Sequence[Rule], status: int, message: str, headers: Mapping[str, str]) -> Judgement:
    """The first rule that matches, with the provider's own Retry-After where it sent one."""
    folded = message.lower()
    for rule in rules:
        if rule.matches(status, folded):
            said = f"{rule.message} (HTTP {status}: {message[:300]})" if message else f"{rule.message} (HTTP {status})"
            return Judgement(rule.outcome, rule.name, said, retry_after(headers, utc_now()) or rule.wait)
    return Judgement(Outcome.STOP_JOB, "unknown_answer", f"unexpected answer (HTTP {status}: {message[:300]})")


def retry_after(headers: Mapping[str, str], now: datetime) -> timedelta | None:
    """How long a Retry-After header asks to wait, given in seconds or as a date; None when absent or unreadable."""
    value = headers.get("retry-after", "").strip()
    if not value:
        return None
    if value.isdigit():
        return timedelta(seconds=min(int(value), 7 * 86_400))
    try:
        return max(parsedate_to_datetime(value) - now, timedelta(0))
    except (ValueError, TypeError):
        return None


def ending_the_job(rules: Sequence[Rule]) -> tuple[Rule, ...]:
    """The table of a step that looks the job's own target up: what elsewhere skips one account ends the job here."""
    return tuple(
        replace(rule, outcome=Outcome.STOP_JOB) if rule.outcome in (Outcome.NOT_FOUND, Outcome.SKIP_ITEM) else rule
        for rule in rules
    )
