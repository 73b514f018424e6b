"""One reconciler process: ``./run reconciler``. Any number may run at once."""

import argparse
import signal
import sys
import threading

from actors.handlers import load_handlers
from actors.lanes import served_lanes
from worker.boot import boot, exit_code
from worker.broker import QUICKLY, WakeUps, make_redis
from worker.errors import ConfigurationError
from worker.reconciler import Reconciler
from worker.tether import end_with_parent
from worker.watching import begin_watching, end_watching


def main() -> int:
    """Run until told to stop; 0 after a clean stop, 2 for a wrong configuration, 69 when a server does not answer."""
    argparse.ArgumentParser(
        prog="./run reconciler", description="Adopts rows, sweeps dead leases, tops up wake-ups."
    ).parse_args()
    try:
        booted = boot()
        begin_watching(booted.settings, "reconciler")
        handlers = load_handlers(booted.settings.handlers)
    except ConfigurationError as error:
        print(f"reconciler: {error}", file=sys.stderr)
        return exit_code(error)
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    end_with_parent()
    wakeups = WakeUps(make_redis(booted.redis_url, connections=2, answer_seconds=QUICKLY, retries=0))
    schedules = {h.job_type: h.schedule for h in handlers.values() if h.schedule and booted.settings.schedules}
    lanes = served_lanes(handlers)
    Reconciler(booted.database_url, wakeups, booted.settings, booted.owner, lanes, schedules).run(stopping)
    end_watching()
    return 0


if __name__ == "__main__":
    sys.exit(main())
