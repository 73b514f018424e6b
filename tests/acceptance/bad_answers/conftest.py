"""One fleet for a module whose provider answers badly, and jobs that have met such answers."""

import pytest

from platforms.simulator.running import running_simulator
from tests.acceptance.bad_answers.answers import ATTEMPTS, ITEMS, PASSING, REFUSALS, SEED, put_in, reopen
from tests.fleet import eventually, fleet_of
from tests.jobs import (
    is_final,
)


@pytest.fixture(scope="module")
def running():
    with running_simulator("--items-per-query", str(ITEMS), "--seed", str(SEED)) as simulator:
        yield simulator


@pytest.fixture(scope="module")
def module_fleet(module_database_url, module_redis_url, running, tmp_path_factory):
    settings = {
        "TRAWLER_MAX_ATTEMPTS": str(ATTEMPTS),
        "TRAWLER_RETRY_BASE_SECONDS": "0.1",
        "TRAWLER_RETRY_CAP_SECONDS": "0.2",
        "TRAWLER_SLOTS": "24",
        # Here jobs fail by the dozen at once, and each is to be seen to its end.
        "TRAWLER_BREAKER_FAILURES": "100000",
    }
    logs = tmp_path_factory.mktemp("fleet")
    with fleet_of(module_database_url, module_redis_url, running, logs, **settings) as fleet:
        yield fleet


@pytest.fixture
def simulator(running):
    running.clear_calls()
    yield running
    running.clear_faults()


@pytest.fixture
def fleet(module_fleet, rows, module_redis_url):
    """The module's fleet, held back by nothing; afterwards every process must still be the first one and live."""
    reopen(rows, module_redis_url)
    yield module_fleet
    assert [process.poll() for process in module_fleet.processes] == [None, None]
    assert "slice_failed" not in module_fleet.log(), "an answer of a provider was an unexpected error"


@pytest.fixture(scope="module")
def passed(module_fleet, running, rows, module_redis_url) -> dict[str, str]:
    """Jobs by word whose second page was spoilt until two attempts were spent, then fine; all have ended."""
    reopen(rows, module_redis_url)
    running.clear_calls()
    for word, bad in PASSING.items():
        # Outcomes that are tried again at once take three calls an attempt.
        calls = 6 if bad.reason in ("transport", "server_error", "request_timeout") else 2
        running.set_fault(bad.kind, match={"query": f"{word} twice"}, after=1, times=calls, **bad.wishes)
    ids = {word: put_in(rows, f"{word} twice") for word in PASSING}
    eventually(lambda: all(is_final(rows, job_id) for job_id in ids.values()))
    running.clear_faults()
    return ids


@pytest.fixture(scope="module")
def given_up(module_fleet, running, rows, module_redis_url) -> dict[str, str]:
    """Jobs by word whose second page is spoilt for ever; all have ended."""
    reopen(rows, module_redis_url)
    running.clear_calls()
    everything = {**PASSING, **REFUSALS}
    for word, bad in everything.items():
        running.set_fault(bad.kind, match={"query": word}, after=1, **bad.wishes)
    ids = {word: put_in(rows, word) for word in everything}
    eventually(lambda: all(is_final(rows, job_id) for job_id in ids.values()))
    running.clear_faults()
    return ids
