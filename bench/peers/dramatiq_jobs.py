"""dramatiq by itself: no-ops on Redis, eight threads a process as by its defaults, nothing written anywhere else."""

import os
import signal
import sys
import threading

import dramatiq
from dramatiq.brokers.redis import RedisBroker

broker = RedisBroker(url=os.environ["REDIS_URL"], namespace="peer")
dramatiq.set_broker(broker)


@dramatiq.actor(queue_name="noop")
def noop() -> None:
    """Do nothing."""


def main() -> None:
    """Put jobs in, or work until told to end."""
    if sys.argv[1] == "fill":
        broker.flush("noop")
        for _ in range(int(sys.argv[2])):
            noop.send()
        return
    worker = dramatiq.Worker(broker, worker_threads=8)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    ending = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ending.set())
    worker.start()
    ending.wait()
    worker.stop()


main()
