"""A real Chromium for tests of pages: logging in, waiting, and the desk of questions."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, sync_playwright

from web_fixtures import Site

CHROMIUM = shutil.which("chromium")
SWITCHES = (
    "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("needs the Debian package chromium")
    with sync_playwright() as playwright:
        sandbox = os.geteuid() != 0  # Chromium has none as root
        made = playwright.chromium.launch(
            executable_path=CHROMIUM, args=list(SWITCHES), chromium_sandbox=sandbox
        )
        yield made
        made.close()


@pytest.fixture(scope="session")
def screenshots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = os.environ.get("ACTIVESYNTH_SCREENSHOTS")
    made = Path(folder) if folder else tmp_path_factory.mktemp("screenshots")
    made.mkdir(parents=True, exist_ok=True)
    return made


def logged_in(browser: Browser, site: Site, person: str, **options: Any) -> BrowserContext:
    context = browser.new_context(**options)
    context.set_default_timeout(30_000)
    context.add_cookies([{"name": "_token", "value": site.token(person), "url": site.url}])
    return context


def watched(page: Page) -> list[str]:
    """Collect what the browser complains about."""
    complaints: list[str] = []

    def note(message: ConsoleMessage) -> None:
        if message.type == "error":
            complaints.append(message.text)

    page.on("console", note)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    return complaints


def until(page: Page, expression: str, argument: str = "", seconds: float = 30) -> None:
    """Wait until it is true; the page's own waiting would need what its policy forbids."""
    deadline = time.monotonic() + seconds
    while not page.evaluate(expression, argument):
        assert time.monotonic() < deadline, expression
        page.wait_for_timeout(30)


def saved(page: Page) -> None:
    until(page, "document.getElementById('desk').dataset.unsaved === '0'")


def shown(page: Page, other_than: str = "") -> str:
    until(
        page,
        "other => { const d = document.getElementById('desk'); "
        "return Boolean(d.dataset.item) && d.dataset.item !== other; }",
        other_than,
    )
    return str(page.locator("#desk").get_attribute("data-item"))


def following(page: Page, item: str) -> str:
    """Return what is shown after ``item``, or an empty text where everything is answered.

    While the answers of one are on their way, the server may have nothing new to hand out.
    """
    until(page, "other => document.getElementById('desk').dataset.item !== other", item)
    for _ in range(1000):
        found = page.locator("#desk").get_attribute("data-item")
        if found:
            return found
        told = page.locator("#far").inner_text().split()
        if len(told) > 2 and told[0] == told[2]:
            return ""
        page.wait_for_timeout(30)
    return ""
