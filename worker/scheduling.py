"""Background jobs put in by the clock: five-field cron texts, read in a time zone, as Debian's cron reads them.

Where clocks go forward, a job whose time falls into the gap runs right after it; where they go back, a job with a fixed
time runs once, and one that runs every hour or more often runs in the repeated hour too.
"""

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from itertools import islice, takewhile
from typing import Any, Literal
from zoneinfo import ZoneInfo

import psycopg
import structlog
from cronsim import CronSim, CronSimError
from psycopg import Connection

from db.queries import scheduling
from worker.errors import ConfigurationError

log = structlog.get_logger()

GRACE = timedelta(seconds=60)
SHOWN = 5
LONGEST_JOB_TYPE = 100
SMALLEST_PRIORITY, LARGEST_PRIORITY = -(2**31), 2**31 - 1
_LOOK_BACK = (timedelta(hours=1), timedelta(days=1), timedelta(days=32))
_reported: set[tuple[str, str, str, str]] = set()


@dataclass(frozen=True, slots=True)
class Fired:
    """One job that a schedule put in, and the time it stands for (UTC)."""

    name: str
    slot: datetime
    job_id: str
    job_type: str


@dataclass(frozen=True, slots=True)
class Schedule:
    """One schedule; ``firings`` are the next five from now (UTC), none when disabled or when ``problem`` says why."""

    stored: scheduling.StoredSchedule
    firings: tuple[datetime, ...]
    problem: str | None


def fire_due(connection: Connection, now: datetime) -> list[Fired]:
    """Put in the jobs whose time has come by ``now``, the database's time; give those that this call put in.

    Any number of processes may call it at once: a slot is fired once. Of several missed slots ``once`` fires the
    newest, and ``skip`` fires that only within a minute; the older ones are passed over. A schedule without a time gets
    its first after ``now``. One that cannot be read, or whose job the application's table refuses, stays as it is, is
    logged once a process as ``schedule_invalid``, and holds up none of the others.
    """
    fired = []
    for due in scheduling.due_schedules(connection, now):
        try:
            with connection.transaction():
                job = _see_to(connection, due, now)
        except (ConfigurationError, psycopg.DataError, psycopg.IntegrityError) as error:
            _report(due, error)
            continue
        if job is not None:
            log.info("schedule_fired", schedule=job.name, slot=job.slot.isoformat(), job=job.job_id)
            fired.append(job)
    return fired


def _see_to(connection: Connection, due: scheduling.Due, now: datetime) -> Fired | None:
    next_at = next_slot(due.cron, due.time_zone, now)
    if due.next_at is None:
        scheduling.move_on(connection, due, next_at)
        return None
    slot = newest_slot(due.cron, due.time_zone, due.next_at, now)
    if due.missed == "skip" and now - slot > GRACE:
        scheduling.move_on(connection, due, next_at)
        return None
    key = f"schedule:{due.name}:{slot.isoformat()}"
    job = scheduling.fire(connection, due, slot, next_at, key)
    return Fired(due.name, slot, *job) if job else None


def _report(due: scheduling.Due, error: Exception) -> None:
    problem = (due.name, due.cron, due.time_zone, type(error).__name__)
    if problem not in _reported:
        _reported.add(problem)
        log.error("schedule_invalid", schedule=due.name, error=str(error).strip())


def put_schedule(
    connection: Connection,
    name: str,
    cron: str,
    *,
    job_type: str,
    time_zone: str = "UTC",
    payload: Mapping[str, Any] | None = None,
    missed: Literal["skip", "once"] = "once",
    priority: int = 100,
    enabled: bool = True,
    now: datetime | None = None,
) -> None:
    """Make or change a schedule. Its jobs get ``payload`` with the slot's ISO time added as ``slot``.

    A new cron text or zone, and enabling it again, count from ``now`` (the database's time); what was missed before is
    not made up for. Raises `ConfigurationError` that says what was wrong, and changes nothing then.
    """
    expectations = (
        (bool(name.strip()), f"name is {name!r}; expected a text that is not blank"),
        (
            0 < len(job_type) <= LONGEST_JOB_TYPE,
            f"job_type is {job_type!r}; expected 1 to {LONGEST_JOB_TYPE} characters",
        ),
        (missed in ("skip", "once"), f"missed is {missed!r}; expected 'skip' or 'once'"),
        (SMALLEST_PRIORITY <= priority <= LARGEST_PRIORITY, f"priority is {priority}; expected a 32-bit integer"),
        ("slot" not in (payload or {}), "payload has a key 'slot'; expected none, each firing sets it; rename the key"),
    )
    for holds, problem in expectations:
        if not holds:
            raise ConfigurationError(f"schedule {name!r}: {problem}")
    scheduling.put(
        connection,
        name=name,
        cron=cron,
        time_zone=time_zone,
        job_type=job_type,
        payload=payload or {},
        missed=missed,
        priority=priority,
        enabled=enabled,
        next_at=next_slot(cron, time_zone, now or scheduling.clock(connection)),
    )


def ensure_schedules(connection: Connection, wanted: Mapping[str, str]) -> None:
    """Make the schedules that are missing, by job type and cron text (UTC); those that exist keep their settings.

    Raises `ConfigurationError` when a cron text cannot be read.
    """
    now = scheduling.clock(connection)
    for job_type, cron in wanted.items():
        scheduling.add(connection, job_type, cron, next_slot(cron, "UTC", now))


def remove_schedule(connection: Connection, name: str) -> bool:
    """Delete a schedule; give whether there was one. Jobs it has put in stay."""
    return scheduling.remove(connection, name)


def list_schedules(connection: Connection, now: datetime | None = None) -> list[Schedule]:
    """All schedules by name, with their next five firings after ``now`` (the database's time)."""
    now = now or scheduling.clock(connection)
    return [_shown(stored, now) for stored in scheduling.every(connection)]


def _shown(stored: scheduling.StoredSchedule, now: datetime) -> Schedule:
    try:
        firings = tuple(islice(slots(stored.cron, stored.time_zone, now), SHOWN if stored.enabled else 0))
    except ConfigurationError as error:
        return Schedule(stored, (), str(error))
    return Schedule(stored, firings, None)


def slots(cron: str, time_zone: str, after: datetime) -> Iterator[datetime]:
    """The firings later than ``after``, in order, in UTC. Raises `ConfigurationError` at the call, not at the first."""
    fields = len(cron.split())
    if fields != 5:
        raise ConfigurationError(f"cron is {cron!r}, of {fields} fields; {_CRON_EXPECTED}")
    zone = _zone(time_zone)
    try:
        walk = CronSim(cron, after.astimezone(zone))
    except (CronSimError, ValueError) as error:
        raise ConfigurationError(f"cron is {cron!r}: {error}; {_CRON_EXPECTED}") from None
    return _ascending(walk, after)


def next_slot(cron: str, time_zone: str, after: datetime) -> datetime:
    """The first firing later than ``after``, in UTC. Raises `ConfigurationError` when there is none in 50 years."""
    for slot in slots(cron, time_zone, after):
        return slot
    raise ConfigurationError(f"cron is {cron!r}, which no day of the next 50 years fits; expected a date that exists")


def newest_slot(cron: str, time_zone: str, since: datetime, now: datetime) -> datetime:
    """The newest firing up to ``now``, in UTC; ``since``, itself one, when there was none after it."""
    # Near looks first, so that a minutely schedule is not walked through a month of downtime.
    starts = [now - back for back in _LOOK_BACK if now - back > since]
    for start in [*starts, since]:
        newest = deque(takewhile(lambda slot: slot <= now, slots(cron, time_zone, start)), maxlen=1)
        if newest:
            return newest[0]
    return since.astimezone(UTC)


_CRON_EXPECTED = "expected minute, hour, day of month, month and day of week, such as '30 2 * * 1-5'"


def _zone(name: str) -> tzinfo:
    if name == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    # A folder of zones, a path and a file of another kind each fail in their own way.
    except (KeyError, ValueError, OSError):
        raise ConfigurationError(
            f"time_zone is {name!r}, which this machine does not know; expected a name such as 'Europe/Berlin'; "
            "mend the name, or install the time zone database (package tzdata)"
        ) from None


def _ascending(walk: CronSim, newest: datetime) -> Iterator[datetime]:
    for found in walk:
        # In the hour that clocks repeat the walk starts at its first pass, which may be over.
        slot = found.astimezone(UTC)
        if slot > newest:
            newest = slot
            yield slot
