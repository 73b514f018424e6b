"""Keeps the tasks true to the rows, and the wake-ups true to the tasks. Any number may run; each statement is safe."""

import os
import socket
import threading
from collections.abc import Sequence

import psycopg
import redis
import structlog
from psycopg import Connection
from psycopg.errors import InsufficientPrivilege

from db.queries import adopting, beating, lanes, sweeping
from db.session import connect
from worker.broker import WakeUps
from worker.clock import monotonic
from worker.lanes import UNROUTABLE
from worker.settings import Settings

log = structlog.get_logger()

BATCH = 1000
SLOW_SECONDS = 0.5
BEAT_SECONDS = 5.0
RECONNECT_SECONDS = 1.0
FORGET_LEASES = 10


class Reconciler:
    """One reconciler process. ``lanes`` are those this release serves; they are made where missing."""

    def __init__(
        self, database_url: str, wakeups: WakeUps, settings: Settings, owner: str, lanes: Sequence[str]
    ) -> None:
        self._database_url = database_url
        self._wakeups = wakeups
        self._settings = settings
        self._owner = owner
        self._lanes = lanes
        self._next_slow = self._next_sweep = self._next_beat = 0.0
        self._sweep_leases_from = 0.0
        self._redis_away = False

    def run(self, stopping: threading.Event) -> None:
        """Tick until told to stop; a database that goes away is waited for."""
        while not stopping.is_set():
            try:
                with connect(self._database_url, "trawler reconciler") as connection:
                    self._connected(connection)
                    while not stopping.wait(self._settings.reconcile_seconds):
                        self.tick(connection)
                    beating.sign_off(connection, self._owner)
            except psycopg.Error as error:
                log.warning("reconciler_lost_database", error=str(error))
                stopping.wait(RECONNECT_SECONDS)

    def _connected(self, connection: Connection) -> None:
        lanes.ensure_lanes(connection, self._lanes, self._settings.lane_max_running, self._settings.lane_max_per_tenant)
        # After an outage every lease looks dead at once: living workers get one lease's time to beat first.
        self._sweep_leases_from = monotonic() + self._settings.lease_seconds
        self._next_slow = self._next_sweep = self._next_beat = 0.0

    def tick(self, connection: Connection) -> None:
        """One round: adopt what is new, see to what is due, top up the wake-ups."""
        now = monotonic()
        if now >= self._next_beat:
            beating.tick(connection, self._owner, "reconciler", socket.gethostname(), os.getpid(), 0, 0)
            self._next_beat = now + BEAT_SECONDS
        while adopting.adopt_from_inbox(connection, UNROUTABLE, BATCH)[0] == BATCH:
            pass
        if now >= self._next_slow:
            self._see_to_due(connection, now)
            self._next_slow = now + SLOW_SECONDS
        if now >= self._next_sweep:
            self._full_sweep(connection)
            self._next_sweep = now + self._settings.sweep_seconds
        self._top_up(connection)

    def _see_to_due(self, connection: Connection, now: float) -> None:
        while sweeping.promote_due(connection, BATCH) == BATCH:
            pass
        for job in sweeping.sweep_overdue(connection, BATCH):
            log.info("job_timed_out", job=job)
        if now < self._sweep_leases_from:
            return
        for dead in sweeping.sweep_dead_leases(connection, self._settings.park_after_crashes, BATCH):
            log.warning(
                "lease_swept", task=dead.id, job=dead.job_id, owner=dead.owner, crashes=dead.crashes, state=dead.state
            )

    def _full_sweep(self, connection: Connection) -> None:
        try:
            for trigger in adopting.ensure_triggers(connection):
                log.warning("trigger_put_back", trigger=trigger)
        except InsufficientPrivilege as error:
            log.warning(
                "trigger_missing", error=str(error).strip(), consequence="new rows are found by the sweep alone"
            )
        while len(adopting.adopt_missed(connection, UNROUTABLE, BATCH)) == BATCH:
            pass
        while sweeping.close_foreign(connection, BATCH) == BATCH:
            pass
        beating.forget_silent(connection, self._settings.lease * FORGET_LEASES)

    def _top_up(self, connection: Connection) -> None:
        wanted = lanes.wanted_wakeups(connection)
        try:
            for lane, count in wanted.items():
                self._wakeups.top_up(lane, count)
        except redis.RedisError as error:
            if not self._redis_away:
                log.error("redis_away", error=str(error))
            self._redis_away = True
            return
        if self._redis_away and wanted:
            self._redis_away = False
            log.info("redis_back")
