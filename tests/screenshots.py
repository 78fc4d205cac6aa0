"""Takes the pictures of docs/images anew: ``make screenshots``, in a real Airflow and Chromium."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import Page, sync_playwright

from browsing import CHROMIUM, SWITCHES, until
from running_airflow import DAG, ROOT
from web_fixtures import PREFIX, Site, site_of

FOLDER = ROOT / "docs" / "images"
COLOURS = 128


def main() -> None:
    """Run a site, commit some more iterations, and look at its pages."""
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, site_of(Path(folder)) as site:
        command = [sys.executable, "-m", "activesynth.cli", "run", "pages", "--iterations", "4"]
        environment = {**os.environ, **site.running.platform.environment()}
        subprocess.run(command, env=environment, cwd=ROOT, check=True, capture_output=True)
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=CHROMIUM,
                args=list(SWITCHES),
                chromium_sandbox=os.geteuid() != 0,
            )
            context = browser.new_context(viewport={"width": 1280, "height": 800})
            context.set_default_timeout(60_000)
            token = {"name": "_token", "value": site.token("otto"), "url": site.url}
            context.add_cookies([token])  # type: ignore[list-item]
            for look in (campaigns, actions, desk, campaign, iteration):
                page = context.new_page()
                look(page, site)
                keep(page, look.__name__)
                page.close()
            browser.close()


def campaigns(page: Page, site: Site) -> None:
    """What waits for whom, inside of Airflow."""
    page.goto(f"{site.url}/plugin/campaigns", wait_until="networkidle")
    page.frame_locator("iframe").get_by_role("link", name="pages", exact=True).wait_for()


def actions(page: Page, site: Site) -> None:
    """The wait as a required action."""
    page.goto(f"{site.url}/required_actions", wait_until="networkidle")
    page.get_by_text("asked: ").first.wait_for()


def desk(page: Page, site: Site) -> None:
    """The desk with one question on it."""
    page.goto(f"{site.url}{PREFIX}/campaigns/asked/annotate", wait_until="networkidle")
    until(page, "Boolean(document.getElementById('desk').dataset.item)")
    page.keyboard.press("3")
    until(page, "document.getElementById('desk').dataset.unsaved === '0'")


def campaign(page: Page, site: Site) -> None:
    """The map of embeddings with an area drawn."""
    page.goto(f"{site.url}{PREFIX}/campaigns/pages", wait_until="networkidle")
    drawn(page)
    place = page.locator("[data-figures=map] > div").first
    page.locator("h2", has_text="Map of embeddings").scroll_into_view_if_needed()
    page.evaluate(
        "[...document.querySelectorAll('h2')].find(h => h.textContent.startsWith('Map'))"
        ".scrollIntoView()"
    )
    box: Any = place.bounding_box()
    corner = (box["x"] + box["width"] * 0.35, box["y"] + box["height"] * 0.3)
    page.mouse.move(*corner)
    page.mouse.down()
    page.mouse.move(corner[0] + box["width"] * 0.25, corner[1] + box["height"] * 0.3, steps=8)
    page.mouse.up()
    page.wait_for_load_state("networkidle")


def iteration(page: Page, site: Site) -> None:
    """An iteration as a tab of its run."""
    (run,) = site.running.rows(
        "select run_key from activesynth.iterations where campaign = 'pages' and number = 3"
    )
    page.goto(f"{site.url}{PREFIX}/runs/{DAG}/{run[0]}", wait_until="networkidle")
    drawn(page)


def drawn(page: Page) -> None:
    """Wait until every figure is there."""
    every = "[...document.querySelectorAll('[data-figures] > div')].every(d => d.dataset.drawn)"
    until(page, every)


def keep(page: Page, name: str) -> None:
    """Write what is shown as a small PNG."""
    path = FOLDER / f"{name}.png"
    page.wait_for_timeout(500)
    page.screenshot(path=path)
    with Image.open(path) as image:
        image.convert("RGB").quantize(COLOURS).save(path, optimize=True)
    print(f"{path.relative_to(ROOT)}: {path.stat().st_size / 1024:.0f} KiB")


if __name__ == "__main__":
    main()
