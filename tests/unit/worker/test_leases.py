"""The limit a lease's holder keeps by itself."""

from uuid import uuid4

import pytest

from db.queries.claiming import Claimed
from worker.clock import monotonic
from worker.leases import Lease

CLAIMED = Claimed(
    id=1,
    job_table="scraping_jobs",
    job_id="j",
    lane="scrape.tiktok",
    tenant="user_1",
    token=uuid4(),
    epoch=1,
    failures=2,
    max_failures=None,
    waits=3,
    slices=0,
)


@pytest.mark.parametrize(("sent_seconds_ago", "held"), [(0, True), (40, True), (45, False), (60, False)])
def test_the_limit_counts_from_before_the_claim_was_sent_and_ends_before_the_lease(sent_seconds_ago, held):
    assert Lease(CLAIMED, monotonic() - sent_seconds_ago, 60).held is held


def test_a_beat_lengthens_the_limit_and_an_old_one_does_not_shorten_it():
    lease = Lease(CLAIMED, monotonic() - 46, 60)
    assert not lease.held
    lease.renewed(monotonic())
    assert lease.held
    lease.renewed(monotonic() - 100)
    assert lease.held


def test_a_refused_lease_is_never_held_again():
    lease = Lease(CLAIMED, monotonic(), 60)
    lease.refuse()
    lease.renewed(monotonic())
    assert not lease.held


def test_progress_forgives_errors_and_waits():
    lease = Lease(CLAIMED, monotonic(), 60)
    lease.progressed()
    assert (lease.failures, lease.waits) == (0, 0)
