"""A browser before a console of a running fleet: all real, all on loopback."""

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from playwright.sync_api import Browser, Page

from db.session import connect
from platforms.simulator.running import RunningSimulator, running_simulator
from tests.conftest import emptied, place_of
from tests.console.chromium import PROGRAM, chromium, keep_at_home
from tests.console.serving import PASSWORD, READ_PASSWORD
from tests.fleet import Fleet, eventually, fleet_of, fresh_database
from tests.processes import ForkedProcess, Program
from worker.embedded import Servers

pytestmark = pytest.mark.slow


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Without a browser there is nothing to click in."""
    if not PROGRAM.exists():
        for item in items:
            if Path(__file__).parent in item.path.parents:
                item.add_marker(pytest.mark.skip(reason=f"there is no {PROGRAM}; on Debian, install chromium"))


def address_of(fleet: Fleet, process: ForkedProcess | Program, secured: str) -> str:
    """Where a console that was just started listens."""

    def look() -> str | None:
        assert process.poll() is None, fleet.log()
        found = re.search(rf'"url": "(http://127\.0\.0\.1:\d+)", "secured": {secured}', fleet.log())
        return found[1] if found else None

    found = eventually(look)
    assert found is not None
    return found


@pytest.fixture(scope="module")
def simulator() -> Iterator[RunningSimulator]:
    with running_simulator("--seed", "1", "--latency-ms", "150") as running:
        yield running


@pytest.fixture(scope="module")
def module_database_url(servers: Servers, migrated: str) -> Iterator[str]:
    with fresh_database(servers.database_url, migrated) as url:
        yield url


@pytest.fixture(scope="module")
def rows(module_database_url: str) -> Iterator[psycopg.Connection]:
    with connect(module_database_url, "test") as connection:
        yield connection


@pytest.fixture(scope="module")
def fleet(
    module_database_url: str,
    servers: Servers,
    worker_id: str,
    simulator: RunningSimulator,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Fleet]:
    logs = tmp_path_factory.mktemp("console")
    redis_url = emptied(servers.redis_url, 2 * place_of(worker_id) + 1)
    with fleet_of(module_database_url, redis_url, simulator, logs) as running:
        yield running


@pytest.fixture(scope="module")
def console_url(fleet: Fleet) -> str:
    """A console where nobody has to log in."""
    return address_of(fleet, fleet.start("console", "--port", "0"), "false")


@pytest.fixture(scope="module")
def guarded_url(fleet: Fleet) -> str:
    """A console with both passwords."""
    passwords = {"CONSOLE_PASSWORD": PASSWORD, "CONSOLE_READ_PASSWORD": READ_PASSWORD}
    return address_of(fleet, fleet.start("console", "--port", "0", **passwords), "true")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page of its own, which may ask for nothing beyond this machine and must not complain of anything."""
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    page = context.new_page()
    asked: list[str] = []
    complaints: list[str] = []
    keep_at_home(page, asked)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    page.set_default_timeout(20_000)
    yield page
    with contextlib.suppress(Exception):
        context.close()
    assert asked == [], "the page asked for something elsewhere"
    refusals = ("status of 401", "status of 403", "status of 429")
    assert [one for one in complaints if not any(refusal in one for refusal in refusals)] == []
