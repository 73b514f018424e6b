"""Redis holds nothing: whatever a broker does to wake-ups, every job ends and each page is stored once."""

from collections import Counter
from uuid import UUID, uuid4

import hypothesis
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from db.queries import adopting, lanes, sweeping
from db.queries.claiming import Claimed
from tests.integration.engine.steps import LANE, page_of
from tests.jobs import assert_counters_are_true, insert_job
from tests.model.world import OPEN, World, told_seed

PARK_AFTER = 3
PAGES = 3
# What a broker may do with its list between two ticks, and a worker with a wake-up it has fetched.
BROKER_DEEDS = ("carry on", "lose one", "lose all", "double all", "turn around", "hold back", "let go")
WORKER_DEEDS = ("work", "page and leave", "die before the claim", "die after the claim", "die after the page")


class Broker:
    """One list of wake-ups, as untrustworthy as told."""

    def __init__(self) -> None:
        self.list: list[str] = []
        self._held_back: list[str] = []

    def top_up(self, lane: str, wanted: int) -> None:
        missing = wanted - self.list.count(lane)
        self.list += [lane] * max(missing, 0)

    def do(self, deed: str) -> None:
        if deed == "lose one":
            self.list = self.list[1:]
        elif deed == "lose all":
            self.list = []
        elif deed == "double all":
            # Bounded, as an example must end.
            self.list = (self.list * 2)[:40]
        elif deed == "turn around":
            self.list.reverse()
        elif deed == "hold back":
            self._held_back += self.list
            self.list = []
        elif deed == "let go":
            self.list += self._held_back
            self._held_back = []

    def fetch(self) -> str | None:
        return self.list.pop(0) if self.list else None


class Fleet:
    """Reconciler ticks and workers on one broker."""

    def __init__(self, world: World, jobs: int) -> None:
        self.world = world
        self.broker = Broker()
        self.crashed_in_a_row: Counter[str] = Counter()
        world.start_anew(max_running=3, max_per_tenant=2)
        self.jobs = [
            insert_job(world.connection, id=UUID(int=place + 1), user_id=f"user_{place % 2}", target_results=100)
            for place in range(jobs)
        ]

    def tick(self) -> None:
        """What the reconciler does each second, in a world where leases and waits pass at once."""
        connection = self.world.connection
        adopting.adopt_from_inbox(connection, "scraping_jobs", 1000)
        self.world.run_sql(
            "UPDATE worker.tasks SET run_at = clock_timestamp() - interval '1 s' WHERE state = 'waiting'"
        )
        sweeping.promote_due(connection, 1000)
        sweeping.sweep_dead_leases(connection, PARK_AFTER, 1000)
        for lane, wanted in lanes.wanted_wakeups(connection).items():
            self.broker.top_up(lane, wanted)

    def work(self, deed: str) -> None:
        """One worker fetches one wake-up and does this with it."""
        lane = self.broker.fetch()
        if lane is None or deed == "die before the claim":
            return
        for held in self.world.claim(lane, "worker", [uuid4()]):
            self._slice(held, deed)

    def _slice(self, held: Claimed, deed: str) -> None:
        # A job that kills its workers again and again is parked, which ends it too, but not as this model asks for.
        if deed == "die after the claim" and self.crashed_in_a_row[held.job_id] < PARK_AFTER - 1:
            self.crashed_in_a_row[held.job_id] += 1
            self._lease_runs_out(held)
            return
        seq = self.world.look().next_seq(held.id)
        while seq <= PAGES:
            answer = self.world.commit_page(page_of(held, seq, [f"{seq}a", f"{seq}b"]))
            assert answer.page_new
            self.crashed_in_a_row[held.job_id] = 0
            seq += 1
            if deed == "die after the page":
                self._lease_runs_out(held)
                return
            if deed == "page and leave":
                break
        ending = "completed" if seq > PAGES else "continue"
        assert self.world.settle(held, ending, "told").owned

    def _lease_runs_out(self, held: Claimed) -> None:
        self.world.run_sql("UPDATE worker.tasks SET expires_at = clock_timestamp() WHERE id = %s", held.id)

    def ended(self) -> bool:
        return not self.world.look().in_state(*OPEN)

    def check(self) -> None:
        seen = self.world.look()
        for job_id in self.jobs:
            row, task = seen.rows[job_id], seen.tasks[job_id]
            assert (row["status"], task["state"], task["failures"]) == ("completed", "closed", 0)
            assert [page["stored"] for page in seen.pages_of(task["id"])] == [2] * PAGES
            assert sorted(seen.creators_of(job_id)) == sorted(
                f"{seq}{letter}" for seq in range(1, PAGES + 1) for letter in "ab"
            )
            assert_counters_are_true(self.world.connection, job_id)


steps = st.lists(
    st.one_of(
        st.just(("tick", "")),
        st.tuples(st.just("broker"), st.sampled_from(BROKER_DEEDS)),
        st.tuples(st.just("worker"), st.sampled_from(WORKER_DEEDS)),
    ),
    max_size=40,
)


def ticks_until_all_have_ended(fleet: Fleet, most: int) -> int:
    """Fair ticks: the broker gives out what it has, and every wake-up finds a worker."""
    for ticks in range(most):
        if ticks and fleet.ended():
            return ticks
        fleet.tick()
        for _ in range(len(fleet.broker.list)):
            fleet.work("work")
    raise AssertionError(f"open after {most} fair ticks: {fleet.world.look().in_state(*OPEN)}")


def explore(world: World, examples: int) -> None:
    @given(jobs=st.integers(1, 6), deeds=steps)
    @settings(
        max_examples=examples,
        derandomize=False,
        print_blob=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    def play(jobs: int, deeds: list[tuple[str, str]]) -> None:
        fleet = Fleet(world, jobs)
        for actor, deed in deeds:
            if actor == "tick":
                fleet.tick()
            elif actor == "broker":
                fleet.broker.do(deed)
            else:
                fleet.work(deed)
        # Three run at once and none leaves before its end: adoption, a pause and a tick for each three jobs.
        assert ticks_until_all_have_ended(fleet, most=jobs + 4) <= jobs + 4
        fleet.check()

    hypothesis.seed(told_seed())(play)()


@pytest.mark.timeout(600)  # a failure is made small first, which takes minutes
def test_whatever_a_broker_does_to_wake_ups_every_job_ends_and_each_page_is_stored_once(world):
    explore(world, examples=40)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_in_ten_times_as_many_ways_every_job_ends_and_each_page_is_stored_once(world):
    explore(world, examples=400)


def test_a_broker_that_gives_every_wake_up_fifty_times_costs_empty_claims_and_no_more(world):
    fleet = Fleet(world, 3)
    fleet.tick()
    fleet.broker.list *= 50
    for _ in range(len(fleet.broker.list)):
        fleet.work("work")
    assert fleet.ended()
    fleet.check()


def test_old_wake_ups_of_nothing_do_not_keep_new_ones_from_being_sent(world):
    # Given a list full of wake-ups of a lane that nobody needs any more
    fleet = Fleet(world, 2)
    fleet.broker.list = ["scrape.unknown"] * 5
    fleet.tick()
    assert fleet.broker.list.count(LANE) == 2
    # When workers go through all of them
    for _ in range(len(fleet.broker.list)):
        fleet.work("work")
    # Then the jobs are done
    assert fleet.ended()
    fleet.check()
