"""The named points of a job's way at which a worker can be lost, how a worker is held up there, and what that costs.

Where a real situation holds a worker up, that is used: a lock that somebody else has on what its statement needs.
Elsewhere `tests.faults.halting_worker` waits at the point.
"""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg

from db.session import connect
from platforms.simulator.running import RunningSimulator
from tests.faults import halting_worker
from tests.fleet import Fleet, eventually
from tests.jobs import insert_job, state
from tests.processes import ForkedProcess

SOON_SECONDS = 20
DONE = ("completed", "exhausted")
LEFT = ("continue", "worker_stops")
SLICE_ENDED = ("continue", "slice_ended")
CRASHED = ("crashed", "lease_expired")


@dataclass(frozen=True)
class Stage:
    """What a point needs: a fleet with a reconciler, the provider, and eyes on the database."""

    fleet: Fleet
    simulator: RunningSimulator
    rows: psycopg.Connection
    database_url: str
    folder: Path


@dataclass
class Halted:
    """A worker that has come to the point and stays there until `let_go`."""

    worker: ForkedProcess
    job_id: str
    let_go: Callable[[], None]


def put_in(stage: Stage, word: str) -> str:
    """Put a job in and wait until it is adopted, so that a worker may take it."""
    job_id = insert_job(stage.rows, keywords=[word], target_results=1000, search_params={"enrich": "none"})
    eventually(lambda: state(stage.rows, job_id))
    return job_id


@contextlib.contextmanager
def waiting_at(stage: Stage, word: str, point: str, nth: int = 1, **settings: str) -> Iterator[Halted]:
    """The process itself waits, at a point where nothing from outside could hold it up."""
    job_id = put_in(stage, word)
    halt = {"HALT_AT": point, "HALT_NTH": str(nth), "HALT_FOLDER": str(stage.folder)}
    worker = stage.fleet.start("tests.faults.halting_worker", "--slots", "1", **halt, **settings)
    eventually((stage.folder / halting_worker.REACHED).exists)
    yield Halted(worker, job_id, (stage.folder / halting_worker.GO_ON).touch)


@contextlib.contextmanager
def locked_out(
    stage: Stage, word: str, lock: str, statement: str, cut: bool = False, what: str = ""
) -> Iterator[Halted]:
    """A backend of the worker waits for a lock, in a statement for the second page; ``cut`` ends that backend."""
    stage.simulator.set_fault("gate", match={"query": word}, after=1, times=1)
    job_id = put_in(stage, word)
    worker = stage.fleet.worker("--slots", "1")
    stage.simulator.wait_for_gate(timeout_seconds=SOON_SECONDS)
    with connect(stage.database_url, "somebody else", autocommit=False) as holder:
        holder.execute(lock.encode(), {"job": job_id} if "%(job)s" in lock else None)
        stage.simulator.open_gate()
        backend = eventually(lambda: waiting_backend(stage.rows, statement))

        def let_go() -> None:
            if cut:
                stage.rows.execute("SELECT pg_terminate_backend(%s)", (backend,))
                eventually(lambda: waiting_backend(stage.rows, statement) is None)
            holder.rollback()

        yield Halted(worker, job_id, let_go)


def waiting_backend(rows: psycopg.Connection, statement: str) -> int | None:
    """Process id of the backend that waits for a lock in such a statement."""
    found = rows.execute(
        "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        "   AND position(%s IN query) > 0 AND pid <> pg_backend_pid()",
        (statement,),
    ).fetchone()
    return found[0] if found else None


@dataclass(frozen=True)
class Point:
    """A place on a job's way, and what it costs to lose, wake or end a worker there.

    ``lost`` are the job's slices when the worker is lost there, ``epochs`` those that stored the first page, the second
    and all others, ``paid_twice`` the pages asked for again; ``told`` and ``told_epochs`` are the same when it is told
    to end, which never costs a call.
    """

    name: str
    halted: Callable[[Stage, str], contextlib.AbstractContextManager[Halted]]
    lost: list[tuple[str, str]]
    epochs: tuple[int, int, int]
    told: list[tuple[str, str]]
    told_epochs: tuple[int, int, int]
    paid_twice: tuple[int, ...] = ()

    @property
    def crashes(self) -> bool:
        """Whether the worker holds a lease there."""
        return CRASHED in self.lost


THE_ROW = "SELECT FROM scraping_jobs WHERE id = %(job)s::uuid FOR UPDATE"
THE_SEEN = "LOCK TABLE worker.seen_creators IN ACCESS EXCLUSIVE MODE"
THE_COMMIT = "WITH fence AS MATERIALIZED"

POINTS = [
    Point(
        "before the claim",
        lambda stage, word: waiting_at(stage, word, halting_worker.BEFORE_CLAIM),
        lost=[DONE],
        epochs=(1, 1, 1),
        # It had asked whether to stop before the signal came: it claims, sees the signal, and gives the task back.
        told=[LEFT, DONE],
        told_epochs=(2, 2, 2),
    ),
    Point(
        "after the claim",
        lambda stage, word: waiting_at(stage, word, halting_worker.AFTER_CLAIM),
        lost=[CRASHED, DONE],
        epochs=(2, 2, 2),
        told=[LEFT, DONE],
        told_epochs=(2, 2, 2),
    ),
    Point(
        "after the fetch",
        lambda stage, word: locked_out(stage, word, THE_SEEN, "SELECT key FROM worker.seen_creators"),
        lost=[CRASHED, DONE],
        epochs=(1, 2, 2),
        told=[LEFT, DONE],
        told_epochs=(1, 1, 2),
        paid_twice=(2,),
    ),
    Point(
        # Nobody tells a backend that its worker is gone: what it was sent, it finishes.
        "inside the commit",
        lambda stage, word: locked_out(stage, word, THE_ROW, THE_COMMIT),
        lost=[CRASHED, DONE],
        epochs=(1, 1, 2),
        told=[LEFT, DONE],
        told_epochs=(1, 1, 2),
    ),
    Point(
        "inside the commit, its backend too",
        lambda stage, word: locked_out(stage, word, THE_ROW, THE_COMMIT, cut=True),
        lost=[CRASHED, DONE],
        epochs=(1, 2, 2),
        told=[LEFT, DONE],
        told_epochs=(1, 1, 2),
        paid_twice=(2,),
    ),
    Point(
        "after the commit, before the settle",
        lambda stage, word: waiting_at(stage, word, halting_worker.BEFORE_SETTLE, nth=2, TRAWLER_SLICE_PAGES="1"),
        lost=[SLICE_ENDED, CRASHED, DONE],
        epochs=(1, 2, 3),
        told=[SLICE_ENDED, SLICE_ENDED, DONE],
        told_epochs=(1, 2, 3),
    ),
    Point(
        "after the settle, before the acknowledgement",
        lambda stage, word: waiting_at(stage, word, halting_worker.BEFORE_ACKNOWLEDGEMENT),
        lost=[DONE],
        epochs=(1, 1, 1),
        told=[DONE],
        told_epochs=(1, 1, 1),
    ),
]
