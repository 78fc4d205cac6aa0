"""Pages in a real Airflow and a real Chromium: who gets what, how it looks, what is kept.

Screenshots are kept in the folder that ``ACTIVESYNTH_SCREENSHOTS`` names, else in pytest's own.
"""

from __future__ import annotations

import urllib.error
import urllib.request
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from browsing import following, logged_in, saved, shown, until, watched
from killed_api_server import ANSWERS as ANSWERED
from killed_api_server import answer_while_it_is_killed
from web_fixtures import PEOPLE, PREFIX, Site
from web_routes import MAY, RULES, address, ask, listed_routes

WIDTHS = (1400, 390)
THEMES = ("light", "dark")
ANSWERS = (
    "select count(*), count(distinct a.item) from activesynth.annotations a "
    "join activesynth.annotation_items q on q.id = a.item "
    "where q.campaign = 'asked' and a.action <> 'undo'"
)


PAGES = (
    "weaknesses",
    "recall",
    "campaigns",
    "campaign",
    "iteration",
    "sample",
    "version",
    "annotate",
    "run",
    "missing",
)


def test_every_route_has_a_rule(tmp_path: Path) -> None:
    routes = listed_routes(tmp_path)

    assert routes - {("HEAD", path) for _, path in routes} == set(RULES)


@pytest.mark.parametrize("person", [None, *PEOPLE, "admin"])
def test_everybody_gets_what_their_role_allows_and_nothing_else(
    site: Site, person: str | None
) -> None:
    role = {**PEOPLE, "admin": "admin"}.get(person or "")
    wrong = []
    for (method, path), right in RULES.items():
        status = ask(site, method, address(path, site), person)
        if role is None:
            expected = [401]
        elif role not in MAY[right]:
            expected = [403]
        else:
            # What these ask about is not there, which only who may ask is told.
            is_vain = method == "POST" and not path.endswith(("/next", "/release"))
            expected = [404, 409, 422] if is_vain or path.endswith("/reach") else [200]
        if status not in expected:
            wrong.append((method, path, status, expected))

    assert not wrong


def test_a_campaign_that_is_not_there_is_said_to_be_missing(site: Site) -> None:
    wrong = []
    for method, path in RULES:
        if "{campaign}" in path:
            status = ask(site, method, address(path, site, campaign="nowhere"), "otto")
            if status != 404:
                wrong.append((method, path, status))

    assert not wrong


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Content-Type": "text/plain"}, 415),
        ({"Content-Type": "application/x-www-form-urlencoded"}, 415),
        ({"Sec-Fetch-Site": "same-origin"}, 200),
    ],
)
def test_a_write_that_another_site_could_send_is_refused(
    site: Site, headers: dict[str, str], status: int
) -> None:
    path = "/api/v1/campaigns/asked/queue/release"

    assert site.write(path, {}, "ulla", **headers).status == status


def test_a_write_without_our_header_is_refused(site: Site) -> None:
    request = urllib.request.Request(
        f"{site.url}{PREFIX}/api/v1/campaigns/asked/queue/release",
        b"{}",
        {"Authorization": f"Bearer {site.token('ulla')}", "Content-Type": "application/json"},
        method="POST",
    )
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(request, timeout=60)

    assert caught.value.code == 403


def test_every_answer_forbids_scripts_from_elsewhere_and_guessing_of_types(site: Site) -> None:
    for path in ("/campaigns", "/static/theme.js", "/api/v1/campaigns", "/campaigns/nowhere"):
        headers = site.page(path).headers
        assert "script-src 'self'" in headers["content-security-policy"]
        assert "unsafe-inline" not in headers["content-security-policy"].partition("style-src")[0]
        assert headers["x-content-type-options"] == "nosniff"


ANSWERS_PATH = "/api/v1/campaigns/asked/queue/answers"


@pytest.mark.parametrize(
    ("changes", "status", "reason"),
    [
        ({"label": 10}, 422, "annotation_label"),
        ({"label": None}, 422, "annotation_label"),
        ({"action": "skip"}, 422, "annotation_label"),
        ({"label": -1}, 422, "request"),
        ({"label": "3"}, 422, "request"),
        ({"item": "pages:0:nothing"}, 404, "unknown_item"),
        ({"item": "asked\u0000"}, 422, "request"),
        ({"annotator": "somebody else"}, 422, "request"),
    ],
)
def test_an_answer_that_means_nothing_is_refused_with_reason_and_field(
    site: Site, changes: dict[str, object], status: int, reason: str
) -> None:
    item, sample, version = site.running.rows(
        "select id, sample, version from activesynth.annotation_items where campaign = 'asked' "
        "and state = 'open' order by position desc limit 1"
    )[0]
    given = {"item": item, "sample": sample, "version": version, "action": "relabel", "label": 3}
    answer = site.write(ANSWERS_PATH, {**given, **changes})

    assert (answer.status, answer.json["error"]["reason"]) == (status, reason)
    assert answer.json["error"]["message"]
    kept = "select count(*) from activesynth.annotations where item = %s"
    assert site.running.rows(kept, item) == [(0,)]


def test_what_another_person_opened_is_saved_under_nobody_elses_name(site: Site) -> None:
    opened_by = {"X-Activesynth-Annotator": "udo"}
    path = "/api/v1/campaigns/asked/queue/release"

    assert site.write(path, {}, "ulla", **opened_by).status == 403
    assert site.write(path, {}, "udo", **opened_by).status == 200


def test_addresses_and_bodies_that_no_page_sends_are_refused_unread(site: Site) -> None:
    assert site.page("/campaigns/a%00b").status == 400
    assert site.page("/api/v1/campaigns/pages/reach?annotator=a%00b").status == 400
    assert site.write(ANSWERS_PATH, {"item": "x" * 70_000}).status == 413


@pytest.mark.parametrize("split", ["judge", "gate", "test"])
def test_rows_of_guarded_splits_are_shown_to_nobody(site: Site, split: str) -> None:
    ((sample, head),) = site.running.rows(
        "select m.sample, m.manifest from activesynth.dataset_members m "
        "where m.campaign = 'pages' and m.split = %s limit 1",
        split,
    ) or [("none", "none")]
    for path in (f"/campaigns/pages/samples/{sample}", f"/campaigns/pages/pictures/{sample}"):
        assert site.page(path, "admin").status == 404
    members = site.page(f"/api/v1/campaigns/pages/versions/{head}/members?limit=200", "admin")
    assert split not in {row["split"] for row in members.json["items"]}


def test_a_run_of_another_dag_shows_no_iteration(site: Site) -> None:
    assert site.page("/runs/dataset_refresh/pages__it0").status == 404


@pytest.mark.parametrize("name", ["..%2fapp.py", "app.py", "%2fetc%2fpasswd", "nothing.js"])
def test_no_file_is_served_but_ours(site: Site, name: str) -> None:
    assert site.page(f"/static/{name}").status == 404


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", PAGES)
def test_every_page_is_whole_in_light_and_dark_wide_and_narrow(
    site: Site,
    browser: Browser,
    screenshots: Path,
    places: dict[str, str],
    name: str,
    width: int,
    theme: str,
) -> None:
    with logged_in(browser, site, "ulla", viewport={"width": width, "height": 900}) as context:
        context.add_init_script(f"localStorage.setItem('theme', '{theme}')")
        page = context.new_page()
        complaints = watched(page)
        page.goto(site.url + places[name], wait_until="networkidle")
        for place in page.locator("[data-figures] > div").all():
            place.wait_for(state="attached")
        until(
            page,
            "[...document.querySelectorAll('[data-figures] > div')].every(d => d.dataset.drawn)",
        )
        page.screenshot(path=screenshots / f"{name}_{theme}_{width}.png", full_page=True)

        assert page.locator("h1").count() == 1
        assert page.evaluate("document.documentElement.dataset.theme") == theme
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        missing = name == "missing"
        assert [c for c in complaints if not (missing and "404" in c)] == []


def test_a_person_logs_in_and_finds_the_pages_in_airflow(
    site: Site, browser: Browser, screenshots: Path
) -> None:
    with browser.new_context(viewport={"width": 1400, "height": 900}) as context:
        page = context.new_page()
        page.goto(site.url, wait_until="networkidle")
        page.fill("input[name=username]", "ulla")
        page.fill("input[name=password]", site.passwords["ulla"])
        page.keyboard.press("Enter")
        page.wait_for_url(lambda url: "login" not in url)
        page.goto(f"{site.url}/plugin/campaigns", wait_until="networkidle")
        inside = page.frame_locator("iframe")
        inside.get_by_role("link", name="pages", exact=True).wait_for(timeout=60_000)
        page.screenshot(path=screenshots / "airflow_campaigns.png")


def test_a_sample_is_followed_to_its_iteration_its_version_and_back(
    site: Site, browser: Browser, places: dict[str, str]
) -> None:
    with logged_in(browser, site, "vera") as context:
        page = context.new_page()
        page.goto(site.url + places["iteration"], wait_until="networkidle")
        page.locator("#candidates figure a").first.click()
        page.wait_for_url("**/samples/**")
        page.get_by_role("link", name="0", exact=True).first.click()
        page.wait_for_url("**/iterations/0")
        page.locator("a[href*='/versions/']").last.click()
        page.wait_for_url("**/versions/**")
        page.locator("a[href*='/samples/']").first.click()
        page.wait_for_url("**/samples/**")
        page.locator("a[href*='/versions/']").first.click()
        page.wait_for_url("**/versions/**")

        assert page.locator("h1").inner_text().startswith("Version")


def test_pictures_are_drawn_and_are_pngs_of_ours(
    site: Site, browser: Browser, places: dict[str, str]
) -> None:
    with logged_in(browser, site, "vera") as context:
        page = context.new_page()
        page.goto(site.url + places["sample"], wait_until="networkidle")
        widths = page.evaluate("[...document.images].map(i => i.naturalWidth)")

        assert widths
        assert min(widths) > 0


def test_answers_given_without_a_connection_are_kept_and_saved_later(
    site: Site, browser: Browser
) -> None:
    with logged_in(browser, site, "udo") as context:
        page = context.new_page()
        page.goto(f"{site.url}{PREFIX}/campaigns/asked/annotate", wait_until="networkidle")
        first = shown(page)
        before = site.running.rows(ANSWERS)[0][0]
        context.set_offline(True)
        page.keyboard.press("1")
        second = shown(page, first)
        page.keyboard.press("2")
        shown(page, second)
        until(page, "document.getElementById('waiting').textContent.length > 0")
        cut_off = site.running.rows(ANSWERS)[0][0]
        context.set_offline(False)
        saved(page)
        labels = dict(
            site.running.rows(
                "select item, label from activesynth.annotations where item in (%s, %s)",
                first,
                second,
            )
        )

        assert cut_off == before
        assert labels == {first: 1, second: 2}


def test_a_reload_goes_on_where_one_was_and_sends_what_was_not_saved(
    site: Site, browser: Browser
) -> None:
    with logged_in(browser, site, "udo") as context:
        page = context.new_page()
        address = f"{site.url}{PREFIX}/campaigns/asked/annotate"
        page.goto(address, wait_until="networkidle")
        item = shown(page)
        page.route("**/queue/answers", lambda route: route.abort())
        page.keyboard.press("3")
        following = shown(page, item)
        until(page, "document.getElementById('desk').dataset.unsaved === '1'")
        page.on("dialog", lambda dialog: dialog.accept())
        page.unroute("**/queue/answers")
        page.reload(wait_until="networkidle")
        saved(page)

        found = site.running.rows("select label from activesynth.annotations where item = %s", item)
        assert found == [(3,)]
        assert shown(page) == following


def test_a_stale_answer_is_refused_and_told_and_goes_to_no_other_sample(
    site: Site, browser: Browser
) -> None:
    with logged_in(browser, site, "udo") as context:
        page = context.new_page()
        page.goto(f"{site.url}{PREFIX}/campaigns/asked/annotate", wait_until="networkidle")
        item = shown(page)
        version, sample = site.running.rows(
            "select version, sample from activesynth.annotation_items where id = %s", item
        )[0]
        other = {"item": item, "sample": sample, "version": version, "action": "relabel"}
        assert site.write(ANSWERS_PATH, {**other, "label": 9}, "ulla").status == 200
        page.keyboard.press("4")
        until(page, "document.getElementById('trouble').textContent.length > 0")
        saved(page)

        found = site.running.rows("select label from activesynth.annotations where item = %s", item)
        assert found == [(9,)]
        assert sample[:12] in page.locator("#trouble").inner_text()


def test_answers_are_kept_though_the_api_server_is_killed_meanwhile(site: Site) -> None:
    assert site.write("/api/v1/campaigns/asked/queue/release", {}, "udo").status == 200

    outcome = answer_while_it_is_killed(site, "asked", "otto")

    assert outcome.unanswered
    assert len(outcome.saved) == ANSWERED
    assert outcome.kept == outcome.saved


def test_a_hundred_answers_by_keyboard_continue_the_run(
    site: Site, browser: Browser, screenshots: Path
) -> None:
    # What the browsers of the tests above preloaded would stay with that person for ten minutes.
    assert site.write("/api/v1/campaigns/asked/queue/release", {}, "udo").status == 200
    with logged_in(browser, site, "ulla", viewport={"width": 1400, "height": 900}) as context:
        page = context.new_page()
        complaints = watched(page)
        page.goto(f"{site.url}{PREFIX}/campaigns/asked/annotate", wait_until="networkidle")
        item, given, undone = shown(page), dict[str, str](), ""
        while item:
            key = "5rs6"[len(given) % 4]
            page.keyboard.press(key)
            given[item] = key
            if len(given) == 20 and not undone:
                saved(page)
                undone = item
                page.keyboard.press("u")
                until(page, "it => document.getElementById('desk').dataset.item === it", item)
                page.screenshot(path=screenshots / "annotate_running.png")
                del given[item]
                continue
            item = following(page, item)
        saved(page)
        rows = site.running.rows(
            "select q.id, a.action, a.label from activesynth.annotation_items q "
            "join activesynth.annotations a on a.item = q.id where a.annotator = 'ulla' "
            "and a.action <> 'undo' and not exists (select 1 from activesynth.annotations u "
            "where u.item = a.item and u.undoes = a.item_version) and q.campaign = 'asked'"
        )
        state = "select state from activesynth.iterations where campaign = 'asked' and number = 0"
        site.running.wait_until(lambda: site.running.rows(state) == [("committed",)], 400)

        meant = {"5": ("relabel", 5), "6": ("relabel", 6), "r": ("reject", None)}
        meant["s"] = ("skip", None)
        kept = {name: (action, label) for name, action, label in rows}
        assert len(given) >= 100
        assert {name: kept[name] for name in given} == {n: meant[k] for n, k in given.items()}
        assert undone in given
        assert complaints == []
