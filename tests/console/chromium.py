"""A headless Chromium that asks nobody but this machine."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Page, Route, sync_playwright

PROGRAM = Path("/usr/bin/chromium")
QUIET = (
    *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run"),
    *(
        "--disable-default-apps",
        "--disable-extensions",
        "--no-default-browser-check",
        "--disable-domain-reliability",
        "--disable-lcd-text",
    ),
)


@contextmanager
def chromium() -> Iterator[Browser]:
    """One browser, without a sandbox where it runs as root, which Chromium asks for."""
    as_root = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=PROGRAM, args=[*QUIET, *as_root])
        try:
            yield browser
        finally:
            browser.close()


def keep_at_home(page: Page, asked: list[str]) -> None:
    """Let the page reach loopback alone, and note every address that it asked for elsewhere."""

    def judge(route: Route) -> None:
        if route.request.url.startswith(("http://127.0.0.1:", "data:")):
            route.continue_()
        else:
            asked.append(route.request.url)
            route.abort()

    page.route("**/*", judge)
