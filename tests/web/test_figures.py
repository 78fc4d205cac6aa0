"""Figures that open their samples, by mouse and by keyboard, and filters of the gallery."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Browser, Page

from browsing import logged_in, until, watched
from web_fixtures import Site

DRAWN = "[...document.querySelectorAll('[data-figures] > div')].every(d => d.dataset.drawn)"
SHOWN = "name => document.querySelectorAll(`[data-chosen=${name}] figure`).length > 0"
API = "/api/v1/campaigns/pages/iterations/0"


def opened(page: Page, site: Site, path: str) -> None:
    page.goto(site.url + path, wait_until="networkidle")
    until(page, DRAWN)


def test_an_area_of_the_map_shows_its_samples(
    site: Site, browser: Browser, places: dict[str, str], screenshots: Path
) -> None:
    with logged_in(browser, site, "vera", viewport={"width": 1400, "height": 900}) as context:
        page = context.new_page()
        complaints = watched(page)
        opened(page, site, places["campaign"])
        place = page.locator("[data-figures=map] > div").first
        place.scroll_into_view_if_needed()
        box = place.bounding_box()
        assert box is not None
        left, top = box["x"] + box["width"] * 0.3, box["y"] + box["height"] * 0.25
        page.mouse.move(left, top)
        page.mouse.down()
        page.mouse.move(left + box["width"] * 0.3, top + box["height"] * 0.35, steps=8)
        page.mouse.up()
        until(page, SHOWN, "map")
        page.screenshot(path=screenshots / "map_area.png")
        told = page.locator("[data-chosen=map] [role=status]").inner_text()

        page.select_option("form[data-for=map] select[name=kind]", "accepted")
        page.focus("form[data-for=map] button")
        page.keyboard.press("Enter")
        until(
            page, "() => document.querySelector('[data-chosen=map]').textContent.includes('Chosen')"
        )
        links = page.locator("[data-chosen=map] figure a").all()
        chosen = {str(link.get_attribute("href")).rpartition("/")[2] for link in links}
        accepted = site.running.rows(
            "select id from activesynth.samples where campaign = 'pages' "
            "and origin = 'synthetic' and scores is not null"
        )

        assert told.startswith("In the area: ")
        assert chosen
        assert chosen <= {row[0] for row in accepted}
        assert complaints == []


def test_a_cell_of_the_confusion_matrix_shows_its_samples(
    site: Site, browser: Browser, places: dict[str, str], screenshots: Path
) -> None:
    rows = site.page(f"{API}/predictions?limit=200").json["items"]
    most = max(rows, key=lambda row: sum(r["predicted"] == row["predicted"] for r in rows))
    label, predicted = most["label"], most["predicted"]
    other = next(row for row in rows if (row["label"], row["predicted"]) != (label, predicted))
    told = "document.querySelector('[data-chosen=confusion] [role=status]').textContent"
    wanted = site.page(f"{API}/predictions?label={label}&predicted={predicted}").json["items"]
    with logged_in(browser, site, "vera", viewport={"width": 1400, "height": 900}) as context:
        page = context.new_page()
        complaints = watched(page)
        opened(page, site, places["iteration"])
        cell = page.locator("[data-figures=confusion] .nsewdrag").last
        cell.scroll_into_view_if_needed()
        box = cell.bounding_box()
        assert box is not None
        across, down = (most["predicted"] + 0.5) / 10, (most["label"] + 0.5) / 10
        page.mouse.click(box["x"] + box["width"] * across, box["y"] + box["height"] * down)
        until(page, SHOWN, "confusion")
        page.screenshot(path=screenshots / "confusion_cell.png")
        clicked = page.locator("[data-chosen=confusion] figure").count()
        page.select_option("form[data-for=confusion] select[name=label]", str(other["label"]))
        page.select_option(
            "form[data-for=confusion] select[name=predicted]", str(other["predicted"])
        )
        page.focus("form[data-for=confusion] button")
        page.keyboard.press("Enter")
        title = f"True {other['label']}, predicted {other['predicted']}: "
        until(page, f"{told}.includes({title!r})")
        links = page.locator("[data-chosen=confusion] figure a").all()
        found = {str(link.get_attribute("href")).rpartition("/")[2] for link in links}
        there = site.page(
            f"{API}/predictions?label={other['label']}&predicted={other['predicted']}"
        ).json["items"]

        assert clicked == len(wanted)
        assert found == {row["sample"] for row in there} != {row["sample"] for row in wanted}
        assert complaints == []


def test_predictions_are_listed_page_by_page_and_an_unknown_arm_is_named(site: Site) -> None:
    every, after = [], ""
    while True:
        page = site.page(f"{API}/predictions?arm=real&limit=50&after={after}").json
        every += page["items"]
        if page["next"] is None:
            break
        after = page["next"]
    guide = site.running.rows(
        "select count(distinct m.sample) from activesynth.dataset_members m "
        "join activesynth.campaigns c on c.name = m.campaign and c.head = m.manifest "
        "where m.campaign = 'pages' and m.split = 'guide'"
    )
    refused = site.page(f"{API}/predictions?arm=nobody")

    assert [row["sample"] for row in every] == sorted({row["sample"] for row in every})
    assert [(len(every),)] == guide
    assert refused.status == 404
    assert "targeted" in refused.json["error"]["message"]


def test_the_gallery_is_filtered_by_score(
    site: Site, browser: Browser, places: dict[str, str]
) -> None:
    ours = "campaign = 'pages' and iteration = 0 and origin = 'synthetic'"
    values = site.running.rows(
        "select (scores ->> 'entropy')::float8 from activesynth.samples "
        f"where {ours} order by 1 desc limit 8"
    )
    least = (values[4][0] + values[5][0]) / 2
    with logged_in(browser, site, "vera") as context:
        page = context.new_page()
        opened(page, site, places["iteration"])
        until(page, "document.getElementById('said').textContent.includes('shown')")
        disabled = page.locator("#filters input[name=least]").is_disabled()
        page.select_option("#filters select[name=score]", "entropy")
        page.fill("#filters input[name=least]", str(least))
        page.locator("#filters input[name=least]").blur()
        until(page, "document.getElementById('said').textContent === '5 shown.'")

        assert disabled
        assert page.locator("#candidates figure").count() == 5


def test_figures_can_be_read_as_tables(
    site: Site, browser: Browser, places: dict[str, str]
) -> None:
    with logged_in(browser, site, "vera") as context:
        page = context.new_page()
        complaints = watched(page)
        opened(page, site, places["iteration"])
        page.get_by_text("As a table: confusion on guide, targeted").click()
        table = page.locator("[data-figures=confusion] details[open] table")
        table.wait_for()
        counts = [int(text) for text in table.locator("td").all_inner_texts()]

        # Ten names of rows, and what was predicted of every row of guide.
        assert len(counts) == 110
        assert sum(counts) - sum(range(10)) == 215
        assert complaints == []
