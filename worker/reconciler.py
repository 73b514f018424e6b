"""Keeps the tasks true to the rows, and the wake-ups true to the tasks. Any number may run; each statement is safe."""

import dataclasses
import math
import threading
from collections.abc import Mapping, Sequence
from datetime import timedelta

import psycopg
import redis
import structlog
from psycopg import Connection
from psycopg.errors import InsufficientPrivilege

from db.queries import adopting, beating, grouping, lanes, overdue, scheduling, sweeping
from db.queries.metrics import lanes_of
from db.session import connect
from worker.broker import WakeUps
from worker.clock import monotonic
from worker.lanes import is_background
from worker.metrics import counting
from worker.metrics.flushing import TickedFlusher
from worker.missing_schema import tell_if_back, tell_if_missing
from worker.monitoring_settings import RECONCILER_BEAT_SECONDS
from worker.processes import sign
from worker.pruning import prune
from worker.scheduling import ensure_schedules, fire_due
from worker.settings import LaneLimits, Settings
from worker.watchdog import Watchdog

log = structlog.get_logger()

BATCH = 1000
SLOW_SECONDS = 0.5
RECONNECT_SECONDS = 1.0
FORGET_LEASES = 10
PRUNE_BATCHES = 10
"""Most batches a sweep removes of each table, so that a large backlog does not hold up the ticks."""


class Reconciler:
    """One reconciler process.

    ``lanes`` are those this release serves, ``schedules`` the cron texts of the job types that it puts in by the clock;
    both are made where missing.
    """

    def __init__(
        self,
        database_url: str,
        wakeups: WakeUps,
        settings: Settings,
        owner: str,
        lanes: Sequence[str],
        schedules: Mapping[str, str] | None = None,
    ) -> None:
        self._database_url = database_url
        self._wakeups = wakeups
        self._settings = settings
        self._owner = owner
        self._lanes = lanes
        self._schedules = schedules or {}
        self._next_slow = self._next_sweep = self._next_beat = 0.0
        self._sweep_leases_from = 0.0
        self._redis_away = self._introduced = False
        self._job_tables: list[str] = []
        self._counters = TickedFlusher(owner, settings.metrics_seconds)

    def run(self, stopping: threading.Event) -> None:
        """Tick until told to stop; a database that goes away is waited for.

        Without a good tick for ``unhealthy_seconds`` the process ends, so that a supervisor starts another.
        """
        watchdog = Watchdog("database", self._settings.unhealthy_seconds)
        watchdog.start()
        while not stopping.is_set():
            try:
                with connect(self._database_url, "trawler reconciler") as connection:
                    self._connected(connection)
                    while not stopping.wait(self._settings.reconcile_seconds):
                        self.tick(connection)
                        watchdog.alive()
                    self._counters.flush(connection)
                    beating.sign_off(connection, self._owner)
            except psycopg.Error as error:
                if not tell_if_missing(error):
                    log.warning("reconciler_lost_database", error=str(error))
                stopping.wait(RECONNECT_SECONDS)
        watchdog.stop()

    def _connected(self, connection: Connection) -> None:
        lanes.ensure_lanes(connection, [self._limits(name) for name in self._lanes])
        ensure_schedules(connection, self._schedules)
        self._job_tables = adopting.job_tables(connection)
        tell_if_back()
        # After an outage every lease looks dead at once: living workers get one lease's time to beat first.
        self._sweep_leases_from = monotonic() + self._settings.lease_seconds
        self._next_slow = self._next_sweep = self._next_beat = 0.0

    def tick(self, connection: Connection) -> None:
        """One round: adopt what is new, see to what is due, top up the wake-ups."""
        now = monotonic()
        if not self._introduced:
            self._introduced = True
            self._beat(connection)
        for table in self._job_tables:
            while adopting.adopt_from_inbox(connection, table, BATCH)[0] == BATCH:
                pass
        if now >= self._next_slow:
            self._see_to_due(connection, now)
            self._next_slow = now + SLOW_SECONDS
        if now >= self._next_sweep:
            self._full_sweep(connection)
            self._next_sweep = now + self._settings.sweep_seconds
        self._top_up(connection)
        # After the work: one that fails at it again and again must not look alive.
        if now >= self._next_beat:
            self._beat(connection)
        self._counters.flush_if_due(connection)

    def _beat(self, connection: Connection) -> None:
        beating.tick(connection, sign(self._owner, "reconciler"))
        self._next_beat = monotonic() + RECONCILER_BEAT_SECONDS

    def _limits(self, lane: str) -> lanes.NewLane:
        told = self._settings.lanes.get(lane, LaneLimits())
        return lanes.NewLane(
            lane,
            self._settings.lane_max_running if told.max_running is None else told.max_running,
            self._settings.lane_max_per_tenant if told.max_per_tenant is None else told.max_per_tenant,
        )

    def _see_to_due(self, connection: Connection, now: float) -> None:
        for fired in fire_due(connection, scheduling.clock(connection)):
            log.info("schedule_fired", schedule=fired.name, slot=fired.slot.isoformat(), job=fired.job_id)
        if now >= self._sweep_leases_from:
            self._sweep_leases(connection)
        # After the sweep, so that what it took back is ready in the same round.
        while sweeping.promote_due(connection, BATCH) == BATCH:
            pass
        if late := overdue.sweep_overdue(connection, BATCH):
            counting.timed_out(lanes_of(connection, late))
        for job in late:
            log.info("job_timed_out", job=job)

    def _sweep_leases(self, connection: Connection) -> None:
        for group in grouping.sweep_dead_groups(connection, BATCH):
            log.warning("group_swept", lane=group.lane, owner=group.owner, tasks=group.tasks)
            counting.swept(group.lane, "waiting")
        for dead in sweeping.sweep_dead_leases(connection, self._settings.park_after_crashes, BATCH):
            log.warning(
                "lease_swept",
                task=dead.id,
                job=dead.job_id,
                lane=dead.lane,
                epoch=dead.epoch,
                owner=dead.owner,
                crashes=dead.crashes,
                state=dead.state,
            )
            counting.swept(dead.lane, dead.state)

    def _full_sweep(self, connection: Connection) -> None:
        try:
            for trigger in adopting.ensure_triggers(connection):
                log.warning("trigger_put_back", trigger=trigger)
        except InsufficientPrivilege as error:
            log.warning(
                "trigger_missing", error=str(error).strip(), consequence="new rows are found by the sweep alone"
            )
        self._job_tables = adopting.job_tables(connection)
        for table in self._job_tables:
            while len(adopting.adopt_missed(connection, table, BATCH)) == BATCH:
                pass
        while adopting.follow_changes(connection, BATCH) == BATCH:
            pass
        while sweeping.close_foreign(connection, BATCH) == BATCH:
            pass
        beating.forget_silent(connection, self._settings.lease * FORGET_LEASES)
        keep = timedelta(days=self._settings.keep_closed_days)
        pruned = prune(
            connection,
            closed_after=keep,
            attempts_after=timedelta(days=self._settings.keep_attempts_days),
            keys_after=keep,
            profiles_after=keep,
            batch=BATCH,
            most_batches=PRUNE_BATCHES,
        )
        if any(dataclasses.astuple(pruned)):
            log.info("pruned", **dataclasses.asdict(pruned))

    def _top_up(self, connection: Connection) -> None:
        wanted = lanes.wanted_wakeups(connection)
        try:
            for lane, count in wanted.items():
                # A slot takes at least a batch of background jobs; more wake-ups would only cost empty claims.
                taken_at_once = self._settings.background_batch if is_background(lane) else 1
                counting.wakeups_sent(lane, self._wakeups.top_up(lane, math.ceil(count / taken_at_once)))
        except redis.RedisError as error:
            if not self._redis_away:
                log.error("redis_away", error=str(error))
            self._redis_away = True
            return
        if self._redis_away and wanted:
            self._redis_away = False
            log.info("redis_back")
