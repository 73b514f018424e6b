"""A simulator that a module shares, and a client with a good key."""

import httpx
import pytest

from platforms.simulator.serving import Simulator
from platforms.simulator.settings import Settings


@pytest.fixture(scope="module")
def shared_simulator():
    with Simulator(Settings(items_per_query=100)) as running:
        yield running


@pytest.fixture
def simulator(shared_simulator):
    yield shared_simulator
    shared_simulator.clear_faults()
    shared_simulator.clear_calls()


@pytest.fixture
async def client(simulator):
    async with httpx.AsyncClient(base_url=simulator.url, headers={"x-api-key": "good"}, timeout=20) as http:
        yield http
