"""Bounds of the pause between attempts."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from worker.backoff import retry_delay

SECONDS = st.floats(0.1, 10_000)


@given(failures=st.integers(0, 10_000), base=SECONDS, cap=SECONDS)
def test_a_pause_is_never_negative_nor_longer_than_its_ceiling(failures, base, cap):
    delay = retry_delay(failures, base, cap)
    ceiling = min(cap, base * 2 ** min(failures, 30))
    # A timedelta is rounded to microseconds.
    assert timedelta(0) <= delay <= timedelta(seconds=ceiling) + timedelta(microseconds=1)


@given(failures=st.integers(0, 100), floor=SECONDS)
def test_a_pause_is_never_shorter_than_the_provider_asked_for(failures, floor):
    asked = timedelta(seconds=floor)
    assert retry_delay(failures, 1, 5, asked) >= asked


def test_pauses_grow_and_differ_between_jobs():
    # Given many jobs that failed for the first and for the sixth time
    early = [retry_delay(0, 5, 600) for _ in range(200)]
    late = [retry_delay(5, 5, 600) for _ in range(200)]
    # Then they do not come back together, and the later ones wait longer
    assert len(set(late)) > 190
    assert max(early) <= timedelta(seconds=5)
    assert sum(late, timedelta()) / 200 > timedelta(seconds=40)
