"""Starts a run, once: ``POST /v2/acts/{actor}/runs``. It answers at once with the ids of the run and its dataset.

Apify knows no idempotency key, and a lost answer leaves a run that is paid for. So the newest run is looked up first,
and that is committed. Only then is ours started; should the answer or the commit be lost, the next slice looks at the
runs that began since, compares their inputs with ours, and goes on with the one that matches. Another job's run for the
same name matches too, and gives the same results.

What remains: a request still under way when we look again, a list of runs that lags behind for longer than we wait,
more than `RUNS_LOOKED_AT` newer runs, and a job that lay still past its cursor's life. Each can cost one run more, and
never a result.
"""

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from platforms.apify.client import FAILURES, LONGEST_RUN, UNFINISHED, Run, read_run, read_runs
from platforms.apify.endpoint import Endpoint
from platforms.apify.outcomes import START_RULES
from platforms.apify.places import Candidate, Start, Waiting, identifier, read, write
from platforms.contract import Query
from platforms.decoding import decode
from platforms.normalise.instagram_hit import moment
from platforms.pages import OPENED, Item, Page, Request, Response, Walk, start_walk
from worker.errors import ShapeError

FIRST_LOOK: Final = 0
RUNS_LOOKED_AT: Final = 50
ENDING: Final = UNFINISHED - {"READY", "RUNNING"}


class _Input(msgspec.Struct):
    usernames: Any = None


_INPUT = msgspec.json.Decoder(_Input)


class RunStart(Endpoint):
    """The source. It gives no items; it opens the walk that waits."""

    endpoint = "acts/runs"
    rules = START_RULES

    def __init__(self, actor: str) -> None:
        self._path = f"/v2/acts/{actor}/runs"

    def request(self, query: Query, walk: Walk) -> Request:
        """A look at the newest run, the start, a candidate's input, or a look at all runs since."""
        if walk.cursor == FIRST_LOOK:
            return Request(self._path, {"desc": "1", "limit": "1"})
        place = read(Start, walk.cursor)
        if place.clear:
            body = msgspec.json.encode({"usernames": [walk.word]})
            return Request(self._path, {"timeout": f"{LONGEST_RUN.total_seconds():.0f}"}, body, once=True)
        if place.candidates:
            return Request(f"/v2/key-value-stores/{place.candidates[0].store}/records/INPUT", {})
        return Request(self._path, {"desc": "1", "limit": str(RUNS_LOOKED_AT)})

    def parse(self, response: Response, query: Query, walk: Walk) -> Page:
        """A step to the next of these, or to waiting. Raises `ShapeError`."""
        if walk.cursor == FIRST_LOOK:
            newest = _runs(response)[:1]
            since = newest[0].started_at if newest else ""
            return _start(since)
        place = read(Start, walk.cursor)
        if place.clear:
            _expect_runs(response)
            run = read_run(response)
            return _wait(walk.word, run.id, run.default_dataset_id)
        if place.candidates:
            first, *others = place.candidates
            if _usernames(response) == [walk.word.casefold()]:
                return _wait(walk.word, first.run, first.dataset)
            return _check(place.since, others)
        ours = [run for run in reversed(_runs(response)) if _may_be_ours(run, place.since)]
        return _check(place.since, [_candidate(run) for run in ours])

    def reread(self, raw: bytes, query: Query, walk: Walk) -> Item:
        """There are no items. Raises `ShapeError`."""
        raise ShapeError("wrong_item_shape", "a run has no items")


def _start(since: str) -> Page:
    """The way is clear; should we not hear of the start, the next slice looks at the runs since."""
    return Page(next_cursor=write(Start(since, clear=True)), step=True, start=write(Start(since)), once=True)


def _check(since: str, candidates: Sequence[Candidate]) -> Page:
    if not candidates:
        return _start(since)
    return Page(next_cursor=write(Start(since, candidates=list(candidates))), step=True)


def _wait(word: str, run: str, dataset: str) -> Page:
    place = Waiting(identifier(run, "run"), identifier(dataset, "dataset"))
    waiting = start_walk("wait", word, write(place))
    return Page(step=True, ended=True, end_reason=OPENED, walks=(waiting,), run_id=run)


def _candidate(run: Run) -> Candidate:
    return Candidate(
        identifier(run.id, "run"),
        identifier(run.default_dataset_id, "dataset"),
        identifier(run.default_key_value_store_id, "store"),
    )


def _may_be_ours(run: Run, since: str) -> bool:
    """Whether a run began after our first look and can still give what we want."""
    if run.status in ENDING or run.status in FAILURES:
        return False
    before, began = moment(since), moment(run.started_at)
    return before is None or began is None or began > before


def _runs(response: Response) -> list[Run]:
    _expect_runs(response)
    return read_runs(response)


def _expect_runs(response: Response) -> None:
    """Only a candidate's input may be missing. Raises `ShapeError` for anything else that is."""
    if response.status == 404:
        raise ShapeError("wrong_page_shape", "expected runs, seen HTTP 404")


def _usernames(response: Response) -> list[str] | None:
    """The names a run was started for; None where its input is gone or another Actor's. Raises `ShapeError`."""
    if response.status == 404:
        return None
    try:
        told = decode(_INPUT, response.body).usernames
    except msgspec.ValidationError:
        return None
    return [str(name).casefold() for name in told] if isinstance(told, list) else None
