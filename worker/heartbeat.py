"""Keeps the leases of this process alive: one statement a beat for all of them, on a connection of its own."""

import os
import threading
from collections.abc import Callable
from datetime import timedelta

import psycopg
import structlog
from psycopg import Connection

from db.queries import beating
from db.session import connect
from worker.clock import monotonic
from worker.leases import Lease
from worker.processes import sign

log = structlog.get_logger()

RECONNECT_SECONDS = 1.0
UNHEALTHY = 75
"""Exit code of a process that cannot do its work any more; a supervisor starts another."""


class Heartbeat(threading.Thread):
    """A thread, so that a slice that blocks the event loop cannot stop the beats of the others.

    A slice older than ``slice_limit_seconds`` counts as hung: it is no longer renewed and is told to end, so a hung
    call cannot keep a lease for ever. A process that has not had a good beat for ``unhealthy_seconds``, or whose event
    loop has not answered for as long, ends itself: alive but idle is the one state that nobody would notice.
    """

    def __init__(
        self,
        database_url: str,
        owner: str,
        *,
        slots: int,
        beat_seconds: float,
        lease: timedelta,
        slice_limit_seconds: float,
        unhealthy_seconds: float,
        end_process: Callable[[int], None] = os._exit,
    ) -> None:
        super().__init__(name="heartbeat", daemon=True)
        self._database_url = database_url
        self._owner = owner
        self._slots = slots
        self._beat_seconds = beat_seconds
        self._lease = lease
        self._slice_limit_seconds = slice_limit_seconds
        self._unhealthy_seconds = unhealthy_seconds
        self._end_process = end_process
        self._held: dict[int, Lease] = {}
        self._lock = threading.Lock()
        self._idle = threading.Condition(self._lock)
        self._ending = threading.Event()
        self._connection: Connection | None = None
        self._last_beat = self._last_pulse = monotonic()
        self.polling = False
        self.ask_pulse: Callable[[], object] | None = None
        """Set by the runtime: asks the event loop to call `pulse`."""

    def add(self, lease: Lease) -> None:
        """Renew this lease from now on."""
        with self._lock:
            self._held[lease.task_id] = lease

    def remove(self, lease: Lease) -> None:
        """Stop renewing it: it was settled or lost."""
        with self._idle:
            if self._held.get(lease.task_id) is lease:
                del self._held[lease.task_id]
            self._idle.notify_all()

    @property
    def in_use(self) -> int:
        """Leases this process holds."""
        with self._lock:
            return len(self._held)

    def wait_until_idle(self) -> None:
        """Wait until no lease is held."""
        with self._idle:
            self._idle.wait_for(lambda: not self._held)

    def pulse(self) -> None:
        """The event loop is alive."""
        self._last_pulse = monotonic()

    def run(self) -> None:
        """Beat until `stop`."""
        while True:
            pause = self._beat_seconds
            try:
                self._beat()
                self._last_beat = monotonic()
            except psycopg.Error as error:
                # Also what is no lost connection: a server that is read-only after a fail-over must not end the beats.
                log.warning("heartbeat_failed", error=str(error))
                self._disconnect()
                pause = min(RECONNECT_SECONDS, self._beat_seconds)
            self._watch()
            if self._ending.wait(pause):
                break
        self._sign_off()

    def stop(self) -> None:
        """End the thread and say goodbye to the table of workers."""
        self._ending.set()
        self.join(timeout=10)

    def _beat(self) -> None:
        if self._connection is None:
            self._connection = connect(self._database_url, "trawler heartbeat")
        with self._lock:
            held = list(self._held.values())
        beating.tick(
            self._connection,
            sign(self._owner, "worker", slots=self._slots, in_use=len(held), polling=self.polling),
        )
        alive = [lease for lease in held if monotonic() - lease.claimed_at < self._slice_limit_seconds]
        for lease in set(held) - set(alive):
            log.error("slice_hung", task=lease.task_id, job=lease.job_id, seconds=self._slice_limit_seconds)
            self.remove(lease)
            lease.refuse()
            lease.abandon()
        if not alive:
            return
        sent_at = monotonic()
        good = {
            renewed.token: renewed
            for renewed in beating.renew(
                self._connection, [lease.task_id for lease in alive], [lease.token for lease in alive], self._lease
            )
        }
        for lease in alive:
            if lease.token in good:
                lease.renewed(sent_at)
                lease.cancelled = good[lease.token].cancelled
            else:
                self.remove(lease)
                lease.refuse()

    def _watch(self) -> None:
        if self.ask_pulse is not None:
            self.ask_pulse()
        now = monotonic()
        for what, last in (("database", self._last_beat), ("event loop", self._last_pulse)):
            if now - last > self._unhealthy_seconds and not self._ending.is_set():
                log.critical("process_unhealthy", silent=what, seconds=round(now - last, 1))
                self._end_process(UNHEALTHY)

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _sign_off(self) -> None:
        try:
            if self._connection is not None:
                beating.sign_off(self._connection, self._owner)
        except psycopg.Error as error:
            log.warning("sign_off_failed", error=str(error))
        self._disconnect()
