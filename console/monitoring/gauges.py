"""What is true at the moment of a scrape, as metrics: lanes, processes, providers, quarantine, Redis, schema."""

import platform as machine
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from prometheus_client import Metric

from console.monitoring.readiness import newest_sign, worker_silence
from db.queries.metrics import LaneGauges, ProcessGauges
from db.revision import newest_revision
from worker.limits.overview import OpenBreaker
from worker.processes import release
from worker.settings import Settings

GAUGES: Final = {
    "trawler_build_info": "The release of the console, always 1.",
    "trawler_database_up": "Whether Postgres answers.",
    "trawler_redis_up": "Whether Redis answers; without it workers poll Postgres.",
    "trawler_schema_info": "The revision of the database and the one this release was written for, always 1.",
    "trawler_schema_current": "Whether the database is at this release's revision or a newer one.",
    "trawler_lane_running": "Tasks of the lane that workers have.",
    "trawler_lane_ready": "Tasks of the lane that are due and wait for a worker, at most 10,000.",
    "trawler_lane_waiting": "Tasks of the lane that are due later, of the 10,000 that are due soonest.",
    "trawler_lane_parked": "Tasks of the lane that are given up because their workers died.",
    "trawler_lane_paused": "Whether an operator paused the lane.",
    "trawler_lane_cooldown_seconds": "How long the lane will rest; 0 where it does not.",
    "trawler_lane_oldest_ready_seconds": "How long the lane's oldest ready task has waited; 0 without one.",
    "trawler_processes": "Processes that have not signed off, alive or silent.",
    "trawler_slots": "Tasks that living workers can run at once.",
    "trawler_slots_in_use": "Tasks that living workers run.",
    "trawler_workers_polling": "Living workers that do without Redis.",
    "trawler_reconciler_silence_seconds": "Time since the newest sign of life of any reconciler; absent without one.",
    "trawler_provider_breaker_open": "Breakers that refuse calls; endpoint `all` is a whole account.",
    "trawler_provider_breaker_probe_seconds": "How long until the breaker lets a call through that probes it.",
    "trawler_quarantine_open": "Items that could not be read and that no replay has settled, at most 10,000.",
}
"""Every gauge and what it tells; docs/monitoring/README.md has them too."""


def _gauge(name: str) -> Metric:
    return Metric(name, GAUGES[name], "gauge")


def of_the_moment(*, database: bool, redis: bool) -> list[Metric]:
    """What is known of whatever answers."""
    build, database_up, redis_up = (
        _gauge(name) for name in ("trawler_build_info", "trawler_database_up", "trawler_redis_up")
    )
    build.add_sample(build.name, {"release": release(), "python": machine.python_version()}, 1)
    database_up.add_sample(database_up.name, {}, float(database))
    redis_up.add_sample(redis_up.name, {}, float(redis))
    return [build, database_up, redis_up]


def of_schema(revision: str | None) -> list[Metric]:
    """The schema's revision."""
    info, current = _gauge("trawler_schema_info"), _gauge("trawler_schema_current")
    newest = newest_revision()
    info.add_sample(info.name, {"revision": revision or "none", "expected": newest}, 1)
    current.add_sample(current.name, {}, float(revision is not None and revision >= newest))
    return [info, current]


def of_lanes(lanes: Sequence[LaneGauges]) -> list[Metric]:
    """How every lane stands."""
    values: dict[str, Callable[[LaneGauges], float]] = {
        "trawler_lane_running": lambda one: one.running,
        "trawler_lane_ready": lambda one: one.ready,
        "trawler_lane_waiting": lambda one: one.waiting,
        "trawler_lane_parked": lambda one: one.parked,
        "trawler_lane_paused": lambda one: float(one.paused),
        "trawler_lane_cooldown_seconds": lambda one: max(one.cooldown, 0.0),
        "trawler_lane_oldest_ready_seconds": lambda one: max(one.oldest or 0.0, 0.0),
    }
    found = []
    for name, value in values.items():
        gauge = _gauge(name)
        for lane in lanes:
            gauge.add_sample(name, {"lane": lane.lane}, value(lane))
        found.append(gauge)
    return found


def of_processes(processes: Sequence[ProcessGauges], settings: Settings) -> list[Metric]:
    """Who works."""
    limits = {"worker": worker_silence(settings), "reconciler": settings.ready_seconds}
    count, slots, in_use, polling, silence = (
        _gauge(name)
        for name in (
            "trawler_processes",
            "trawler_slots",
            "trawler_slots_in_use",
            "trawler_workers_polling",
            "trawler_reconciler_silence_seconds",
        )
    )
    for kind, limit in limits.items():
        of_kind = [process.silent <= limit for process in processes if process.kind == kind]
        count.add_sample(count.name, {"kind": kind, "state": "alive"}, of_kind.count(True))
        count.add_sample(count.name, {"kind": kind, "state": "silent"}, of_kind.count(False))
    alive = [one for one in processes if one.kind == "worker" and one.silent <= limits["worker"]]
    slots.add_sample(slots.name, {}, sum(one.slots for one in alive))
    in_use.add_sample(in_use.name, {}, sum(one.in_use for one in alive))
    polling.add_sample(polling.name, {}, sum(one.polling for one in alive))
    if (silent := newest_sign(processes, "reconciler")) is not None:
        silence.add_sample(silence.name, {}, max(silent, 0.0))
    return [count, slots, in_use, polling, silence]


def of_breakers(breakers: Iterable[OpenBreaker], now: float) -> list[Metric]:
    """Which providers are held back; accounts are summed up, as their fingerprints are nobody's to see."""
    open_, probe = _gauge("trawler_provider_breaker_open"), _gauge("trawler_provider_breaker_probe_seconds")
    found: dict[tuple[str, str], list[float]] = {}
    for breaker in breakers:
        left = max(breaker.next_probe.timestamp() - now, 0.0)
        found.setdefault((breaker.provider, breaker.endpoint or "all"), []).append(left)
    for (provider, endpoint), lefts in found.items():
        labels = {"provider": provider, "endpoint": endpoint}
        open_.add_sample(open_.name, labels, len(lefts))
        probe.add_sample(probe.name, labels, max(lefts))
    return [open_, probe]


def of_quarantine(items: int) -> list[Metric]:
    """What could not be read."""
    gauge = _gauge("trawler_quarantine_open")
    gauge.add_sample(gauge.name, {}, items)
    return [gauge]
