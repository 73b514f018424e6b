"""Keeps the leases of this process alive: one statement a beat for all of them, on a connection of its own."""

import contextlib
import os
import socket
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta

import psycopg
import structlog
from psycopg import Connection

from db.queries import beating
from db.session import connect
from worker.clock import monotonic
from worker.leases import Lease
from worker.missing_schema import tell_if_back, tell_if_missing
from worker.processes import sign
from worker.watchdog import UNHEALTHY

log = structlog.get_logger()

RECONNECT_SECONDS = 1.0
WATCH_SECONDS = 1.0


class Heartbeat(threading.Thread):
    """A thread, so that a slice that blocks the event loop cannot stop the beats of the others.

    A slice older than ``slice_limit_seconds`` counts as hung: it is no longer renewed and is told to end, so a hung
    call cannot keep a lease for ever. A process that has not had a good beat for ``unhealthy_seconds``, or whose event
    loop has not answered for as long, ends itself: alive but idle is the one state that nobody would notice. A second
    thread watches over that, because a beat may itself hang: a beat without an answer for a quarter of the lease loses
    its connection and is tried again on another.
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
        self._claims = 0
        self._lock = threading.Lock()
        self._idle = threading.Condition(self._lock)
        self._ending = threading.Event()
        self._connection: Connection | None = None
        self._beat_began: float | None = None
        self._last_beat = self._last_pulse = monotonic()
        self.polling = False
        self.ask_pulse: Callable[[], object] | None = None
        """Set by the runtime: asks the event loop to call `pulse`."""

    def add(self, lease: Lease) -> None:
        """Renew this lease from now on."""
        with self._lock:
            self._held[lease.task_id] = lease

    @contextlib.contextmanager
    def claiming(self) -> Iterator[None]:
        """A claim is under way: what it leases counts as held before anybody knows of it."""
        with self._lock:
            self._claims += 1
        try:
            yield
        finally:
            with self._idle:
                self._claims -= 1
                self._idle.notify_all()

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
        """Wait until no lease is held and no claim under way."""
        with self._idle:
            self._idle.wait_for(lambda: not self._held and not self._claims)

    def pulse(self) -> None:
        """The event loop is alive."""
        self._last_pulse = monotonic()

    def run(self) -> None:
        """Beat until `stop`."""
        threading.Thread(target=self._watch, name="heartbeat watch", daemon=True).start()
        while True:
            pause = self._beat_seconds
            self._beat_began = monotonic()
            try:
                self._beat()
                tell_if_back()
                self._last_beat = monotonic()
            except psycopg.Error as error:
                # Also what is no lost connection: a server that is read-only after a fail-over must not end the beats.
                if not tell_if_missing(error):
                    log.warning("heartbeat_failed", error=str(error))
                self._disconnect()
                pause = min(RECONNECT_SECONDS, self._beat_seconds)
            self._beat_began = None
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
            log.error("slice_hung", **lease.names, seconds=self._slice_limit_seconds)
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
        pause = min(WATCH_SECONDS, self._beat_seconds)
        while not self._ending.wait(pause):
            if self.ask_pulse is not None:
                self.ask_pulse()
            now = monotonic()
            if self._beat_began is not None and now - self._beat_began > self._lease.total_seconds() / 4:
                self._shut()
            for what, last in (("database", self._last_beat), ("event loop", self._last_pulse)):
                if now - last > self._unhealthy_seconds and not self._ending.is_set():
                    log.critical("process_unhealthy", silent=what, seconds=round(now - last, 1))
                    self._end_process(UNHEALTHY)

    def _shut(self) -> None:
        """End the connection under a beat that waits for its answer, which then fails."""
        with self._lock, contextlib.suppress(OSError, psycopg.Error):
            if self._connection is not None:
                with socket.socket(fileno=os.dup(self._connection.fileno())) as ours:
                    ours.shutdown(socket.SHUT_RDWR)

    def _disconnect(self) -> None:
        with self._lock:
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
