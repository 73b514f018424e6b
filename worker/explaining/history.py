"""The facts about a job, and what happened to it in order of time."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import redis

from worker.broker import WakeUps
from worker.explaining.picture import Picture, words


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened: an attempt, a page or a wait. ``facts`` are the record's own fields."""

    at: datetime
    kind: str
    text: str
    facts: dict[str, Any]


def facts_of(p: Picture, client: "redis.Redis | None") -> dict[str, Any]:
    """What there is to know besides the sentence, by name."""
    facts: dict[str, Any] = {}
    if p.row:
        facts |= {"status": p.row.status, "created": p.moment(p.row.created_at), "error": p.row.error}
        if not p.row.lane_exists:
            facts["lane of the row"] = f"{p.row.lane}: there is no such lane"
    if p.task and p.standing:
        t, s = p.task, p.standing
        retries = f" of {t.max_failures}" if t.max_failures is not None else ""
        facts |= {
            "task": f"{t.state}, epoch {t.epoch}, {t.seq} pages, priority {t.priority}, tenant {t.tenant}",
            "counts": f"{t.failures}{retries} failures, {t.waits} waits, {t.crashes} crashes since the last page",
            "end reason": t.end_reason,
            "deadline": p.moment(t.deadline_at) if t.deadline_at else None,
            "lane": f"{t.lane}: {s.running} of {t.max_running} run, {s.ready} ready of {s.ready_tenants} tenants",
            "tenant in lane": f"{s.running_of_tenant} of {t.max_per_tenant} run",
            "wake-ups in Redis": _wakeups(client, t.lane),
        }
    polling = f", {p.fleet.polling} without Redis" if p.fleet.polling else ""
    facts["workers alive"] = f"{p.fleet.workers}, {p.fleet.in_use} of {p.fleet.slots} slots in use{polling}"
    facts["reconcilers alive"] = p.fleet.reconcilers
    return {name: value for name, value in facts.items() if value is not None}


def _wakeups(client: "redis.Redis | None", lane: str) -> int | str | None:
    if client is None:
        return None
    try:
        return WakeUps(client).queued(lane)
    except redis.RedisError as error:
        return f"unknown: Redis does not answer ({type(error).__name__})"


def history_of(p: Picture, pages: list[dict[str, Any]]) -> list[Event]:
    """Attempts, pages and waits in order of time."""
    events = [
        Event(
            page["written_at"],
            "page",
            f"{page['seq']} of {page['word']!r} at {page['cursor']!r}: {page['items']} items, {page['stored']} stored, "
            f"{page['duplicates']} duplicates, {page['unreadable']} unreadable, {page['credits']} credits"
            f"{' by ' + page['provider'] if page['provider'] else ''}",
            page,
        )
        for page in pages
    ]
    # A wait lasts from the end of a slice that asked for one to the start of the next, or until now.
    starts = [a["started_at"] or a["ended_at"] for a in p.attempts[1:]]
    starts.append(p.task.claimed_at if p.task and p.task.owner else None)
    for attempt, next_start in zip(p.attempts, starts, strict=False):
        ended = attempt["ended_at"]
        said = " ".join(filter(None, (attempt["reason"], attempt["detail"], words(attempt["evidence"]))))
        text = f"epoch {attempt['epoch']} by {attempt['owner']}: {attempt['outcome']}, {said}"
        if attempt["started_at"]:
            text += f" (after {(ended - attempt['started_at']).total_seconds():.1f} s)"
        events.append(Event(ended, "attempt", text, attempt))
        if attempt["outcome"] in ("wait", "retry", "crashed"):
            until = next_start or (p.task.run_at if p.task else None)
            end = p.moment(until)
            wait = {"reason": attempt["reason"], "from": ended, "until": until}
            events.append(Event(ended, "wait", f"{attempt['reason']}, until {end}", wait))
    return sorted(events, key=lambda event: event.at)
