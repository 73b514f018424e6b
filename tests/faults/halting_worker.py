"""The worker process as it is, held up once at a named point: ``python -m tests.faults.halting_worker``.

``HALT_AT`` names the point, ``HALT_NTH`` at which time it halts there (default 1), ``HALT_FOLDER`` where it leaves the
file ``reached`` and waits for the file ``go on``. Only the slice or the thread that came to the point waits; everything
else is the real process, from `actors.__main__.main` on. Give it one slot, so that nothing but that slice can act.
"""

import asyncio
import os
import sys
import time
from pathlib import Path
from typing import Any

import dramatiq

import actors.runtime
import actors.slices
from actors.__main__ import main
from worker.broker import WakeUpConsumer

BEFORE_CLAIM = "before the claim"
AFTER_CLAIM = "after the claim"
BEFORE_SETTLE = "before the settle"
BEFORE_ACKNOWLEDGEMENT = "after the settle, before the acknowledgement"
REACHED = "reached"
GO_ON = "go on"
LOOK_SECONDS = 0.02


class Halt:
    """Counts how often the point is reached, and says when the process has to wait there."""

    def __init__(self, point: str, nth: int, folder: Path) -> None:
        self._point = point
        self._left = nth
        self._folder = folder

    def reached(self, point: str) -> bool:
        """Count the point; tell the test when this is the time to wait."""
        self._left -= point == self._point
        if point != self._point or self._left != 0:
            return False
        (self._folder / REACHED).touch()
        return True

    def may_go_on(self) -> bool:
        return (self._folder / GO_ON).exists()

    async def on_the_loop(self, point: str) -> None:
        """Hold up one slice; the event loop goes on."""
        if self.reached(point):
            while not self.may_go_on():  # noqa: ASYNC110 - another process makes the event
                await asyncio.sleep(LOOK_SECONDS)

    def in_the_thread(self, point: str) -> None:
        """Hold up the thread of one wake-up."""
        if self.reached(point):
            while not self.may_go_on():
                time.sleep(LOOK_SECONDS)


def put_in(halt: Halt) -> None:
    """Wrap the real functions where their callers look them up."""
    real_claim, real_settle, real_ack = actors.runtime.claim, actors.slices.settle, WakeUpConsumer.ack
    settled: list[bool] = []

    async def claim(*arguments: Any) -> Any:
        await halt.on_the_loop(BEFORE_CLAIM)
        leases = await real_claim(*arguments)
        if leases:
            await halt.on_the_loop(AFTER_CLAIM)
        return leases

    async def settle(*arguments: Any) -> None:
        await halt.on_the_loop(BEFORE_SETTLE)
        await real_settle(*arguments)
        settled.append(True)

    def ack(consumer: WakeUpConsumer, message: dramatiq.MessageProxy) -> None:
        # A wake-up that found nothing is acknowledged too, and is not meant.
        if settled:
            halt.in_the_thread(BEFORE_ACKNOWLEDGEMENT)
        real_ack(consumer, message)

    actors.runtime.claim, actors.slices.settle, WakeUpConsumer.ack = claim, settle, ack


if __name__ == "__main__":
    put_in(Halt(os.environ["HALT_AT"], int(os.environ.get("HALT_NTH", "1")), Path(os.environ["HALT_FOLDER"])))
    sys.exit(main())
