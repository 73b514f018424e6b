"""Waits for a run: ``GET /v2/actor-runs/{id}``. The answer comes when the run has ended, or after a few seconds."""

from datetime import timedelta
from typing import Final

from platforms.apify.client import FAILURES, SUCCEEDED, UNFINISHED, read_run
from platforms.apify.endpoint import Endpoint
from platforms.apify.places import Reading, Waiting, read, write
from platforms.apify.pricing import credits_of
from platforms.contract import Query
from platforms.pages import OPENED, Item, Page, Request, Response, Walk, start_walk
from worker.errors import ShapeError

HELD_SECONDS: Final = 10
"""How long Apify holds one answer back, at most 60; a slot is held as long, so the rest is waited without one."""

PAUSE: Final = timedelta(seconds=5)


class RunWait(Endpoint):
    """The source. It gives no items; it opens the walk that reads."""

    endpoint = "actor-runs"

    def request(self, query: Query, walk: Walk) -> Request:
        """The call for the run's state."""
        place = read(Waiting, walk.cursor)
        return Request(f"/v2/actor-runs/{place.run}", {"waitForFinish": str(HELD_SECONDS)})

    def parse(self, response: Response, query: Query, walk: Walk) -> Page:
        """Not ready, or a step to reading with what the run cost.

        Raises:
            ShapeError: ``not_json``, ``wrong_page_shape``, ``unknown_status``.
        """
        run, place = read_run(response), read(Waiting, walk.cursor)
        if run.status in UNFINISHED:
            return Page(not_ready=PAUSE)
        if run.status != SUCCEEDED and run.status not in FAILURES:
            raise ShapeError("unknown_status", f"expected a status of a run, seen {run.status[:40]!r}")
        reading = Reading(place.run, place.dataset, run.status, run.finished_at or "")
        return Page(
            step=True,
            ended=True,
            end_reason=OPENED,
            credits=credits_of(run.usage_total_usd, self.credits),
            walks=(start_walk("items", walk.word, write(reading)),),
            run_id=place.run,
        )

    def reread(self, raw: bytes, query: Query, walk: Walk) -> Item:
        """There are no items. Raises `ShapeError`."""
        raise ShapeError("wrong_item_shape", "a run has no items")
