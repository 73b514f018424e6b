"""Keeps the leases of this process alive: one statement a beat for all of them, on a connection of its own."""

import os
import socket
import threading
from datetime import timedelta

import psycopg
import structlog
from psycopg import Connection

from db.queries import beating
from db.session import connect
from worker.clock import monotonic
from worker.leases import Lease

log = structlog.get_logger()

RECONNECT_SECONDS = 1.0


class Heartbeat(threading.Thread):
    """A thread, so that a slice that blocks the event loop cannot stop the beats of the others.

    A slice older than ``slice_limit_seconds`` counts as hung and is no longer renewed, so a hung call cannot keep a
    lease for ever.
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
    ) -> None:
        super().__init__(name="heartbeat", daemon=True)
        self._database_url = database_url
        self._owner = owner
        self._slots = slots
        self._beat_seconds = beat_seconds
        self._lease = lease
        self._slice_limit_seconds = slice_limit_seconds
        self._held: dict[int, Lease] = {}
        self._lock = threading.Lock()
        self._idle = threading.Condition(self._lock)
        self._ending = threading.Event()
        self._connection: Connection | None = None

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

    def wait_until_idle(self) -> None:
        """Wait until no lease is held."""
        with self._idle:
            self._idle.wait_for(lambda: not self._held)

    def run(self) -> None:
        """Beat until `stop`."""
        while True:
            pause = self._beat_seconds
            try:
                self._beat()
            except psycopg.Error as error:
                # Also what is no lost connection: a server that is read-only after a fail-over must not end the beats.
                log.warning("heartbeat_failed", error=str(error))
                self._disconnect()
                pause = min(RECONNECT_SECONDS, self._beat_seconds)
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
        beating.tick(self._connection, self._owner, "worker", socket.gethostname(), os.getpid(), self._slots, len(held))
        alive = [lease for lease in held if monotonic() - lease.claimed_at < self._slice_limit_seconds]
        for lease in set(held) - set(alive):
            log.error("slice_hung", task=lease.task_id, job=lease.job_id, seconds=self._slice_limit_seconds)
            self.remove(lease)
            lease.refuse()
        if not alive:
            return
        sent_at = monotonic()
        good = beating.renew(
            self._connection, [lease.task_id for lease in alive], [lease.token for lease in alive], self._lease
        )
        for lease in alive:
            if lease.token in good:
                lease.renewed(sent_at)
            else:
                self.remove(lease)
                lease.refuse()

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
