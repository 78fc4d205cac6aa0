"""A person's whole way through Airflow, under its own list of people and Flask-AppBuilder's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from browsing import following, saved, shown, until
from running_airflow import DAG
from web_fixtures import PEOPLE, PREFIX, Site
from web_routes import MAY, RULES, address, ask

STATE = "select state from activesynth.iterations where campaign = %s and number = 0"
ANSWERED = (
    "select count(distinct a.item) from activesynth.annotations a "
    "join activesynth.annotation_items q on q.id = a.item "
    "where q.campaign = %s and a.annotator = 'otto' and a.action <> 'undo'"
)
LABELS = {"by_own": 12, "by_fab": 100}
ANSWERED_OF = {"by_own": 8, "by_fab": 1000}
CLOSED = (
    "select questions_closed, questions_closed_by from activesynth.iterations "
    "where campaign = %s and number = 0"
)


@pytest.fixture(params=LABELS)
def served(request: pytest.FixtureRequest, site: Site) -> tuple[Site, str]:
    """Return a server, and the campaign that is run from its form."""
    campaign = str(request.param)
    return (request.getfixturevalue("fab") if campaign == "by_fab" else site), campaign


def log_in(page: Page, site: Site, person: str) -> None:
    page.goto(site.url, wait_until="networkidle")
    page.fill("input[name=username]", person)
    page.fill("input[name=password]", site.passwords[person])
    page.keyboard.press("Enter")
    page.wait_for_url(lambda url: "login" not in url)


def open_form(page: Page, site: Site) -> None:
    page.goto(f"{site.url}/dags/{DAG}", wait_until="networkidle")
    page.get_by_role("button", name="Trigger").first.click()
    page.locator("input[name=element_note]").wait_for()


def choose(page: Page, place: int, text: str) -> None:
    page.locator("input[role=combobox]").nth(place).click()
    page.keyboard.type(text)
    page.keyboard.press("Enter")


def trigger(page: Page) -> None:
    page.get_by_role("dialog").get_by_role("button", name="Trigger", exact=True).click()


def finish_early(page: Page) -> None:
    page.click("#finish")
    assert "Really" in page.locator("#finish").inner_text()
    page.click("#finish")
    until(page, "document.getElementById('finished').textContent.includes('have no answer')")


def test_a_person_triggers_a_run_annotates_and_watches_it_go_on(
    served: tuple[Site, str], browser: Browser, screenshots: Path
) -> None:
    site, campaign = served
    rows = site.running.rows
    with browser.new_context(viewport={"width": 1400, "height": 1000}) as context:
        context.set_default_timeout(60_000)
        page = context.new_page()
        log_in(page, site, "otto")
        open_form(page, site)
        choose(page, 0, campaign)
        page.fill("input[name=element_labels]", str(LABELS[campaign]))
        choose(page, 1, "people")
        page.fill("input[name=element_note]", "from the form")
        page.screenshot(path=screenshots / f"airflow_form_{campaign}.png")
        trigger(page)
        site.running.wait_until(lambda: rows(STATE, campaign) == [("waiting",)], 400)
        run = rows("select run_key from activesynth.iterations where campaign = %s", campaign)[0][0]

        page.goto(f"{site.url}/required_actions", wait_until="networkidle")
        page.get_by_text(f"{campaign}: ").first.wait_for()
        page.screenshot(path=screenshots / f"airflow_required_{campaign}.png")
        page.goto(f"{site.url}{PREFIX}/campaigns/{campaign}/annotate", wait_until="networkidle")
        item, count = shown(page), 0
        while item and count < ANSWERED_OF[campaign]:
            page.keyboard.press("s" if count % 5 else "3")
            count += 1
            item = following(page, item)
        saved(page)
        answered = rows(ANSWERED, campaign)
        if item:
            finish_early(page)
        site.running.wait_until(lambda: rows(STATE, campaign) == [("committed",)], 400)
        page.goto(f"{site.url}/dags/{DAG}/runs/{run}/plugin/iteration", wait_until="networkidle")
        inside = page.frame_locator("iframe")
        inside.get_by_role("heading", name=f"{campaign}, iteration 0").wait_for()
        page.screenshot(path=screenshots / f"airflow_iteration_{campaign}.png")

        is_all = count == LABELS[campaign]
        assert answered == [(count,)]
        assert rows(CLOSED, campaign) == [("answered", None) if is_all else ("person", "otto")]


def test_a_batch_is_shown_first_and_recalled_when_that_is_confirmed(
    site: Site, browser: Browser, screenshots: Path
) -> None:
    head = "select head from activesynth.campaigns where name = 'by_own'"
    before = site.running.rows(head)
    with browser.new_context(viewport={"width": 1400, "height": 1000}) as context:
        context.set_default_timeout(60_000)
        page = context.new_page()
        log_in(page, site, "otto")
        page.goto(f"{site.url}{PREFIX}/campaigns/by_own/recall", wait_until="networkidle")
        page.select_option("select[name=by]", "annotator")
        page.fill("input[name=which]", "otto")
        page.fill("input[name=reason]", "answered in haste")
        page.get_by_role("button", name="Recall it now").click()
        until(page, "document.querySelector('[role=status]').textContent.includes('again')")
        meanwhile = site.running.rows(head)
        page.screenshot(path=screenshots / "recall_shown.png")
        page.get_by_role("button", name="Recall it now").click()
        until(page, "document.querySelector('[role=status]').textContent === 'It is recalled.'")
        page.screenshot(path=screenshots / "recall_done.png")
        page.reload(wait_until="networkidle")
        page.locator("a[href*='/versions/']").first.click()
        page.wait_for_url("**/versions/**")

        after = site.running.rows(head)
        assert meanwhile == before
        assert after != before
        assert page.url.endswith(str(after[0][0]))
        recalled = "select version, reason, recalled_by from activesynth.recalls"
        assert site.running.rows(recalled) == [(after[0][0], "answered in haste", "otto")]


def test_a_value_that_the_form_lets_pass_is_refused_in_words_and_starts_no_run(
    site: Site, browser: Browser, screenshots: Path
) -> None:
    runs = f"/api/v2/dags/{DAG}/dagRuns?limit=1"
    before = site.ask("GET", runs, person="admin").json["total_entries"]
    with browser.new_context(viewport={"width": 1400, "height": 1000}) as context:
        context.set_default_timeout(60_000)
        page = context.new_page()
        log_in(page, site, "otto")
        open_form(page, site)
        page.fill("input[name=element_growth]", "0")
        trigger(page)
        page.get_by_text("minimum of 0").first.wait_for()
        page.screenshot(path=screenshots / "airflow_form_refused.png")

    assert site.ask("GET", runs, person="admin").json["total_entries"] == before


@pytest.mark.parametrize("person", [None, *PEOPLE, "admin"])
def test_everybody_of_flask_appbuilder_gets_what_their_role_allows(
    fab: Site, person: str | None
) -> None:
    role: Any = {**PEOPLE, "admin": "admin"}.get(person or "")
    wrong = []
    for (method, path), right in RULES.items():
        status = ask(fab, method, address(path, fab), person)
        if role is None:
            expected = {401}
        elif role not in MAY[right]:
            expected = {403}
        else:
            is_vain = method == "POST" and not path.endswith(("/next", "/release"))
            expected = {404, 409, 422} if is_vain or path.endswith("/reach") else {200}
        if status not in expected:
            wrong.append((method, path, status, expected))

    assert not wrong
