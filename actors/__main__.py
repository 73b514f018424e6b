"""One worker process: ``python -m actors``. SIGTERM or SIGINT drains it, a second one ends it at once."""

import argparse
import os
import signal
import sys
import threading

import structlog

from worker.boot import boot, exit_code
from worker.errors import ConfigurationError
from worker.tether import end_with_parent
from worker.watching import begin_watching, end_watching

log = structlog.get_logger()

STOP_MS = 4_000
"""Once no slice runs, dramatiq's threads have this long to end; without Redis some of them wait for it."""


def main() -> int:
    """Run until told to stop; 0 after a clean stop, 2 for a wrong configuration, 69 when a server does not answer."""
    parser = argparse.ArgumentParser(prog="./run worker", description="One worker process.")
    parser.add_argument("--slots", type=int, help="tasks it runs at once (default: TRAWLER_SLOTS)")
    arguments = parser.parse_args()
    try:
        booted = boot()
        begin_watching(booted.settings, "worker")
    except ConfigurationError as error:
        print(f"worker: {error}", file=sys.stderr)  # noqa: T201 - logs may not be set up yet
        return exit_code(error)

    # Imported late: a wrong setting should be told before half a second of imports.
    from actors.application import make_application, make_worker

    slots = arguments.slots or booted.settings.slots
    stopping = threading.Event()

    def on_signal(number: int, _: object) -> None:
        if stopping.is_set():
            log.warning("worker_killed", signal=number)
            os._exit(1)
        stopping.set()

    signal.signal(signal.SIGTERM, on_signal)
    signal.signal(signal.SIGINT, on_signal)
    end_with_parent()
    try:
        broker, runtime, degraded = make_application(booted, slots, stopping.set)
    except ConfigurationError as error:
        print(f"worker: {error}", file=sys.stderr)  # noqa: T201 - for people at a terminal
        return 2
    broker.emit_after("process_boot")
    worker = make_worker(broker, slots)
    worker.start()
    degraded.start()
    stopping.wait()
    # A consumer that waits on Redis needs up to a second to notice, and may do so while slices end.
    for consumer in worker.consumers.values():
        consumer.stop()
    runtime.drain()
    worker.stop(timeout=STOP_MS)
    broker.close()
    end_watching()
    return 0


if __name__ == "__main__":
    sys.exit(main())
