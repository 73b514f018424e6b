"""What the fault runs share: a look into a running fleet."""

from collections.abc import Iterator

import psycopg
import pytest

from platforms.simulator.running import RunningSimulator, running_simulator
from tests.acceptance.conftest import module_database_url, module_redis_url, rows  # noqa: F401 - fixtures
from tests.handlers import closed_gate

ITEMS = 80


@pytest.fixture
def gate(database_url: str) -> Iterator[psycopg.Connection]:
    """Holds every job up that waits at the gate, until it is closed."""
    with closed_gate(database_url) as holder:
        yield holder


@pytest.fixture(scope="module")
def module_simulator() -> Iterator[RunningSimulator]:
    """A provider with a few pages a word."""
    with running_simulator("--items-per-query", str(ITEMS)) as simulator:
        yield simulator


@pytest.fixture
def simulator(module_simulator: RunningSimulator) -> Iterator[RunningSimulator]:
    """The provider without calls, and afterwards without faults."""
    module_simulator.clear_calls()
    yield module_simulator
    module_simulator.clear_faults()
