"""Takes the pictures of ``docs/images`` anew: ``.venv/bin/python -m tests.console.take_pictures``.

A fleet of its own works real jobs against a simulator; a headless browser looks at its console, light and dark, and at
two pages as a phone shows them.
"""

import re
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from playwright.sync_api import Browser, Page

from db.migrating import migrate
from db.session import connect
from platforms.simulator.running import running_simulator
from tests.console.chromium import PROGRAM, chromium, keep_at_home
from tests.console.scenery import Scenery, set_up
from tests.fleet import Fleet, eventually
from worker.embedded import embedded_servers
from worker.settings import ROOT

IMAGES: Final = ROOT / "docs" / "images"
LARGEST_BYTES: Final = 150_000
SCREEN: Final = {"width": 1140, "height": 720}
PHONE: Final = {"width": 390, "height": 844}


def main() -> int:
    """Take them all; 1 when one is too large or there is no browser."""
    if not PROGRAM.exists():
        sys.stderr.write(f"there is no {PROGRAM}; on Debian, install chromium\n")
        return 1
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="trawler_pictures_")))
        servers = stack.enter_context(embedded_servers(folder / "servers", postgres=True, valkey=True))
        migrate(servers.database_url)
        simulator = stack.enter_context(running_simulator("--seed", "1", "--latency-ms", "350"))
        settings = {
            "TRAWLER_SCHEDULES": "false",
            "TRAWLER_RATES": '{"scrapecreators": 40}',
            "TRAWLER_BUDGETS": '{"scrapecreators": {"day": 10000, "tenant_day": 4000}}',
            "APIFY_TOKEN": "test-key",
            "APIFY_BASE_URL": f"{simulator.url}/apify",
        }
        logs = folder / "logs"
        logs.mkdir()
        fleet = stack.enter_context(Fleet(servers.database_url, servers.redis_url, simulator.url, logs, **settings))
        fleet.reconciler()
        for _ in range(2):
            fleet.worker()
        fleet.start("console", "--port", "0")
        address = r'"url": "(http://127\.0\.0\.1:\d+)", "secured"'
        url = eventually(lambda: re.search(address, fleet.log()))[1]
        connection = stack.enter_context(connect(servers.database_url, "pictures"))
        scenery = set_up(connection, simulator, str(logs / "exports"))
        browser = stack.enter_context(chromium())
        taken = _take(browser, url, scenery)
    too_large = [path.name for path in taken if path.stat().st_size > LARGEST_BYTES]
    for path in taken:
        sys.stdout.write(f"{path.relative_to(ROOT)}  {path.stat().st_size:,} bytes\n")
    return 1 if too_large else 0


def _take(browser: Browser, url: str, scenery: Scenery) -> list[Path]:
    pages = {
        "overview": "/",
        "jobs": "/jobs",
        "job": f"/jobs/{scenery.running}",
        "background": "/background",
        "quarantine": "/quarantine",
        "providers": "/providers",
    }
    IMAGES.mkdir(exist_ok=True)
    taken = []
    for colours in ("light", "dark"):
        taken += [_one(browser, url + path, f"{name}-{colours}", colours, SCREEN) for name, path in pages.items()]
    taken += [_one(browser, url + pages[name], f"{name}-phone", "light", PHONE) for name in ("overview", "jobs")]
    return taken


def _one(browser: Browser, url: str, name: str, colours: str, size: dict[str, int]) -> Path:
    context = browser.new_context(viewport=size, color_scheme=colours, reduced_motion="reduce")
    page = context.new_page()
    asked: list[str] = []
    keep_at_home(page, asked)
    page.goto(url)
    _settle(page)
    path = IMAGES / f"{name}.png"
    page.screenshot(path=path)
    context.close()
    assert asked == [], f"{url} asked for {asked}"
    return path


def _settle(page: Page) -> None:
    """Wait for what a page loads after it is there."""
    if page.locator("#live").count():
        page.wait_for_selector("#live:not([hidden])")
    if page.locator("#throughput").count():
        page.wait_for_selector("#throughput canvas")
        page.wait_for_selector("#credits table")
    if page.locator(".creator").count() or page.locator("#creators-heading").count():
        page.wait_for_selector(".creator")


if __name__ == "__main__":
    sys.exit(main())
