"""What the engine tells while it works: one short call each, in memory alone.

A call costs a microsecond or two, as the objects behind each set of labels are made once. Nothing here raises.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from prometheus_client import Counter, Histogram

from db.queries.claiming import Claimed
from db.queries.committing import PageAnswer
from worker.clock import monotonic
from worker.job_states import Ending
from worker.metrics import families
from worker.metrics.words import Words

_MOST_SETS: Final = 2048
"""Sets of labels whose object is at hand; one more costs a look-up."""
_REASONS: Final = Words()
_ENDS: Final = {Ending.COMPLETED, Ending.ERROR, Ending.TIMEOUT, Ending.OUTSIDE}


def claimed(lane: str, tasks: Sequence[Claimed], began: float) -> None:
    """A claim that began at this moment (monotonic seconds) was answered."""
    families.CLAIM_SECONDS.observe(monotonic() - began)
    _claims(lane, "leased" if tasks else "empty").inc()
    for task in tasks:
        # Continued where it stopped, a task keeps its time, and was not waiting since then.
        if (task.slices == 0 or task.waits or task.failures) and task.claimed_at and task.run_at:
            _queue(lane).observe(max((task.claimed_at - task.run_at).total_seconds(), 0.0))


def group_claimed(lane: str, waited: Sequence[float], began: float) -> None:
    """A claim of a group that began at this moment (monotonic seconds) was answered; each job was due for so long."""
    families.CLAIM_SECONDS.observe(monotonic() - began)
    _claims(lane, "leased" if waited else "empty").inc()
    queue = _queue(lane)
    for seconds in waited:
        queue.observe(max(seconds, 0.0))


def settled(lane: str, outcome: str, reason: str, count: int = 1) -> None:
    """So many slices ended, and that is written down."""
    if outcome in _ENDS:
        _jobs(lane, outcome, reason).inc(count)
    elif outcome == Ending.WAIT:
        _waits(lane, reason).inc()
    elif outcome == Ending.RETRY:
        _retries(lane, reason).inc()


def lost(lane: str, reason: str) -> None:
    """A slice found its lease gone; ``fenced`` means that a settle was refused for it."""
    _losses(lane, reason).inc()
    if reason == "fenced":
        refused("settle")


def refused(write: str) -> None:
    """A ``page`` or ``settle`` was refused, since the task had another holder."""
    _refusals(write).inc()


def swept(lane: str, state: str) -> None:
    """The sweep took a dead lease back; the task is ``waiting``, or ``parked`` as its job is given up."""
    _crashes(lane).inc()
    if state == "parked":
        _jobs(lane, "parked", "poison").inc()


def timed_out(lanes: Sequence[str]) -> None:
    """The deadlines of jobs passed that nobody ran just then, each of these lanes."""
    for lane in lanes:
        _jobs(lane, "timeout", "deadline").inc()


def committed(began: float) -> None:
    """A page commit that began at this moment (monotonic seconds) was answered."""
    families.COMMIT_SECONDS.observe(monotonic() - began)


@dataclass(frozen=True, slots=True)
class _OfPages:
    """The counters of one endpoint's pages."""

    pages: Counter
    creators: Counter
    duplicates: Counter
    unreadable: Counter


def page_stored(
    platform: str, provider: str, endpoint: str, answer: PageAnswer, *, items: int, fresh: int, unreadable: int
) -> None:
    """A page is in. Where only the reply of its first commit was lost, it counts as that one stored it."""
    counters = _pages(platform, provider, endpoint)
    counters.pages.inc()
    if stored := answer.stored if answer.page_new else answer.stored_before or 0:
        counters.creators.inc(stored)
    if duplicates := answer.duplicates if answer.page_new else items - fresh:
        counters.duplicates.inc(duplicates)
    if unreadable:
        counters.unreadable.inc(unreadable)


def called(provider: str, endpoint: str, outcome: str | None, credits_spent: int, began: float) -> None:
    """A provider call that began at this moment (monotonic seconds) ended; ``outcome`` None means: with its slice."""
    _calls(provider, endpoint, outcome or "ended").inc()
    _call_seconds(provider, endpoint).observe(monotonic() - began)
    if credits_spent > 0:
        _credits(provider, endpoint).inc(credits_spent)
    if outcome == "fix_configuration":
        misconfigured("provider")


def misconfigured(kind: str) -> None:
    """Something was met that only an operator can mend: a ``value`` of the configuration, or a ``provider``."""
    families.CONFIGURATION_ERRORS.labels(kind).inc()


def woken(lane: str) -> None:
    """A wake-up came."""
    _received(lane).inc()


def wakeups_sent(lane: str, count: int) -> None:
    """Wake-ups were sent."""
    if count:
        _sent(lane).inc(count)


@lru_cache(_MOST_SETS)
def _jobs(lane: str, outcome: str, reason: str) -> Counter:
    return families.JOBS.labels(lane, outcome, _REASONS.word(reason))


@lru_cache(_MOST_SETS)
def _waits(lane: str, reason: str) -> Counter:
    return families.WAITS.labels(lane, _REASONS.word(reason))


@lru_cache(_MOST_SETS)
def _retries(lane: str, reason: str) -> Counter:
    return families.RETRIES.labels(lane, _REASONS.word(reason))


@lru_cache(_MOST_SETS)
def _losses(lane: str, reason: str) -> Counter:
    return families.LEASE_LOSSES.labels(lane, _REASONS.word(reason))


@lru_cache(_MOST_SETS)
def _refusals(write: str) -> Counter:
    return families.DOUBLE_RUNS.labels(write)


@lru_cache(_MOST_SETS)
def _crashes(lane: str) -> Counter:
    return families.CRASHES.labels(lane)


@lru_cache(_MOST_SETS)
def _claims(lane: str, result: str) -> Counter:
    return families.CLAIMS.labels(lane, result)


@lru_cache(_MOST_SETS)
def _queue(lane: str) -> Histogram:
    return families.QUEUE_SECONDS.labels(lane)


@lru_cache(_MOST_SETS)
def _pages(platform: str, provider: str, endpoint: str) -> _OfPages:
    labels = (platform, provider, endpoint)
    return _OfPages(
        families.PAGES.labels(*labels),
        families.CREATORS.labels(*labels),
        families.DUPLICATES.labels(*labels),
        families.UNREADABLE.labels(*labels),
    )


@lru_cache(_MOST_SETS)
def _calls(provider: str, endpoint: str, outcome: str) -> Counter:
    return families.CALLS.labels(provider, endpoint, outcome)


@lru_cache(_MOST_SETS)
def _call_seconds(provider: str, endpoint: str) -> Histogram:
    return families.CALL_SECONDS.labels(provider, endpoint)


@lru_cache(_MOST_SETS)
def _credits(provider: str, endpoint: str) -> Counter:
    return families.CREDITS.labels(provider, endpoint)


@lru_cache(_MOST_SETS)
def _received(lane: str) -> Counter:
    return families.WAKEUPS_RECEIVED.labels(lane)


@lru_cache(_MOST_SETS)
def _sent(lane: str) -> Counter:
    return families.WAKEUPS_SENT.labels(lane)
