"""What a process does by itself while Redis is away."""

import pytest

from worker.limits.local_rate import CAUTION, LocalRate, share_of


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_calls_are_spaced_evenly_and_those_that_would_wait_too_long_are_sent_back():
    local = LocalRate(Clock())
    told = [local.place(2, 1.0, 0) for _ in range(4)]
    assert told == [(0, True), (0.5, True), (1.0, True), (1.5, False)]


def test_time_that_passed_unused_is_not_saved_up():
    clock = Clock()
    local = LocalRate(clock)
    local.place(2, 1.0, 0)
    clock.now += 60
    assert [local.place(2, 1.0, 0)[0] for _ in range(2)] == [0, 0.5]


def test_a_silence_that_was_heard_before_is_kept():
    clock = Clock()
    assert LocalRate(clock).place(2, 1.0, clock.now + 30) == (30, False)


@pytest.mark.parametrize(
    ("known", "processes", "expected"),
    [(None, 1, 10), (8.0, 4, CAUTION * 2), (1000.0, 2, 10), (8.0, 0, CAUTION * 8)],
    ids=["nothing known", "a share", "never more than usual", "alone"],
)
def test_a_process_takes_its_share_of_the_last_known_rate(known, processes, expected):
    assert share_of(known, processes, 10) == pytest.approx(expected)
