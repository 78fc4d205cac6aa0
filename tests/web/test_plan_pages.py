"""The next plan on its page and by the API: edited, its cost told, previewed and proposed."""

from __future__ import annotations

import base64
import fcntl
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from PIL import Image
from playwright.sync_api import Browser, ConsoleMessage, Page, expect

from platform_fixtures import PostgresServer
from running_airflow import ROOT, rows_of, write_campaign
from served_pages import PageServer
from tiny_campaign import TINY

OTTO = {"Authorization": "Bearer otto"}
API = "/api/v1/campaigns/pages"
Ask = Callable[..., tuple[int, Any]]


@pytest.fixture(scope="module")
def environment(
    postgres_server: PostgresServer,
    migrated_template: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[dict[str, str]]:
    """Return what names a platform whose campaign `pages` has committed an iteration."""
    folder = tmp_path_factory.mktemp("plans")
    write_campaign(folder, "pages", **{**TINY, "audits": {"run": []}})
    database = postgres_server.create_database(migrated_template)
    named = {
        "ACTIVESYNTH_DATABASE_URL": postgres_server.url(database),
        "ACTIVESYNTH_HOME": str(folder / "home"),
        "ACTIVESYNTH_CAMPAIGNS": str(folder),
        "TMPDIR": str(folder),  # where a server keeps the place for its one preview
    }
    done = command(named, "run", "pages")
    assert done.returncode == 0, done.stderr
    yield named
    postgres_server.drop_database(database)


def command(environment: dict[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "activesynth.cli", *words],
        env={**os.environ, **environment},
        cwd=ROOT,
        capture_output=True,
        text=True,
    )


@pytest.fixture(scope="module")
def url(environment: dict[str, str], page_server: PageServer) -> Iterator[str]:
    named = dict(environment)
    database, home = named.pop("ACTIVESYNTH_DATABASE_URL"), named.pop("ACTIVESYNTH_HOME")
    with page_server.serving(database, Path(home), **named) as server:
        yield f"{server.url}/activesynth"


@pytest.fixture
def ask(url: str) -> Ask:
    def send(path: str, body: Any = None) -> tuple[int, Any]:
        headers = {"Content-Type": "application/json", "X-Activesynth": "1", **OTTO}
        data = None if body is None else json.dumps(body).encode()
        try:
            with urlopen(Request(f"{url}{API}{path}", data, headers), timeout=90) as answer:
                return answer.status, json.loads(answer.read())
        except HTTPError as error:
            return error.code, json.loads(error.read())

    return send


def recorded(environment: dict[str, str]) -> list[tuple[Any, ...]]:
    """Return what a preview could have left: steps, artifacts, leases and blobs."""
    counts = rows_of(
        environment["ACTIVESYNTH_DATABASE_URL"],
        "select (select count(*) from activesynth.steps), (select sum(attempts) from "
        "activesynth.steps), (select count(*) from activesynth.artifacts), "
        "(select count(*) from activesynth.samples), (select count(*) from "
        "activesynth.blob_leases)",
    )
    blobs = Path(environment["ACTIVESYNTH_HOME"]) / "objects"
    return [*counts, tuple(sorted(path.name for path in blobs.rglob("*") if path.is_file()))]


def test_a_preview_makes_a_few_pictures_and_records_nothing(
    ask: Ask, environment: dict[str, str]
) -> None:
    before = recorded(environment)
    parts = ask("/plan")[1]["parts"]

    status, made = ask("/preview", {"weakness": parts[0]["weakness"], "rows": 3})

    assert status == 200, made
    assert (made["weakness"], made["iteration"]) == (parts[0]["weakness"], 0)
    assert len(made["labels"]) == len(made["pictures"]) == 3
    for picture in made["pictures"]:
        kind, _, data = picture.partition(",")
        assert kind == "data:image/png;base64"
        assert Image.open(io.BytesIO(base64.b64decode(data))).size == (8, 8)
    assert recorded(environment) == before


def test_while_a_preview_is_made_another_is_refused(ask: Ask, environment: dict[str, str]) -> None:
    name = ask("/plan")[1]["parts"][0]["weakness"]
    path = Path(environment["TMPDIR"]) / f"activesynth-preview-{os.getuid()}.lock"
    with path.open("ab") as place:
        fcntl.flock(place, fcntl.LOCK_EX)

        status, found = ask("/preview", {"weakness": name, "rows": 1})

    assert (status, found["error"]["reason"]) == (409, "preview_running")


@pytest.mark.parametrize(
    ("path", "body", "reason"),
    [
        ("/preview", {"weakness": "class:0", "rows": 9}, "request"),
        ("/preview", {"weakness": "no such"}, "unknown_weakness"),
        ("/plan/proposals", {"amounts": {}, "reason": "x"}, "request"),
        ("/plan/proposals", {"amounts": {"no such": 1}, "reason": "x"}, "unknown_weakness"),
        ("/plan/proposals", {"amounts": {"a\u0000": 1}, "reason": "x"}, "request"),
        ("/plan/proposals", {"amounts": {"\ud800": 1}, "reason": "x"}, "request"),
        ("/plan/withdrawal", {"reason": "x"}, "no_proposal"),
        ("/plan/cost?part=no+such", None, "bad_value"),
        ("/plan/cost?part=no+such=1", None, "unknown_weakness"),
    ],
)
def test_what_cannot_be_is_refused(ask: Ask, path: str, body: Any, reason: str) -> None:
    status, found = ask(path, body)

    assert (status, found["error"]["reason"]) == (422, reason)


def test_the_page_tells_the_cost_previews_proposes_and_withdraws(
    ask: Ask, url: str, browser: Browser
) -> None:
    first = ask("/plan")[1]["parts"][0]["weakness"]
    budget = ask("/plan")[1]["budget"]
    page = browser.new_page(viewport={"width": 390, "height": 844}, extra_http_headers=OTTO)
    complaints: list[str] = []
    page.on("console", lambda message: note(message, complaints))
    page.goto(f"{url}/campaigns/pages/weaknesses", wait_until="networkidle")
    field = page.locator("#plan input[data-weakness]").first
    field.focus()
    page.keyboard.type(str(budget + 1))
    expect(page.locator("#cost")).to_contain_text(f"the limit is {budget}")
    page.keyboard.press("Control+a")
    page.keyboard.type("7")
    expect(page.locator("#cost")).to_contain_text(f"7 of {budget} rows as you say")
    expect(page.locator("#cost")).to_contain_text("by 1 measured iteration")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator(".part").first.locator("figure img")).to_have_count(4, timeout=60_000)
    kept(page, "plan_previewed")
    page.locator("#plan [name=reason]").fill("<b onload=alert(1)>why</b>")
    page.keyboard.press("Enter")
    expect(page.locator("#proposals")).to_contain_text("<b onload=alert(1)>why</b>")

    standing = ask("/plan")[1]

    assert standing["proposals"][0]["amounts"] == {first: 7}
    assert (standing["proposals"][0]["proposed_by"], standing["proposals"][0]["state"]) == (
        "otto", "standing"
    )  # fmt: skip
    assert page.locator("#plan input[data-weakness]").first.input_value() == "7"
    kept(page, "plan_proposed")
    withdrawal = page.locator("form[data-post$=withdrawal]")
    withdrawal.locator("[name=reason]").fill("it was a test")
    page.keyboard.press("Enter")
    expect(page.locator("#proposals")).to_contain_text("withdrawn")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.set_viewport_size({"width": 1400, "height": 900})
    kept(page, "plan_wide")
    page.close()
    assert [text for text in complaints if "422" not in text] == []


def note(message: ConsoleMessage, complaints: list[str]) -> None:
    # Without an Airflow around it there is no icon, which Chromium asks for by itself.
    if message.type == "error" and not message.location["url"].endswith("/favicon.ico"):
        complaints.append(message.text)


def kept(page: Page, name: str) -> None:
    folder = os.environ.get("ACTIVESYNTH_SCREENSHOTS")
    if folder:
        page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)


def test_the_commands_do_the_same(environment: dict[str, str], tmp_path: Path, ask: Ask) -> None:
    first = ask("/plan")[1]["parts"][0]["weakness"]
    asked = ("plan", "propose", "pages", "--rows", f"{first}=5", "--reason", "a test")

    tried = command(environment, *asked, "--cost")
    proposed = command(environment, *asked, "--by", "ulla")
    shown = json.loads(command(environment, "plan", "show", "pages", "--json").stdout)
    told = command(environment, "plan", "show", "pages").stdout
    withdrawn = command(environment, "plan", "withdraw", "pages", "--reason", "done")
    made = command(
        environment, "preview", "pages", "--weakness", first, "--rows", "2", "--out",
        str(tmp_path / "out"),
    )  # fmt: skip

    assert "Nothing was proposed" in tried.stdout
    assert "by 1 measured iteration" in tried.stdout
    assert "stands; the next plan of pages uses it" in proposed.stdout, proposed.stderr
    assert shown["proposals"][0]["proposed_by"] == "ulla"
    assert shown["proposals"][0]["amounts"] == {first: 5}
    assert f"up to {shown['budget']} samples: `plan.growth` 0.2 of " in told
    assert f"{first}=5" in told
    assert "is withdrawn" in withdrawn.stdout
    assert made.returncode == 0, made.stderr
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "preview_0.png", "preview_1.png"
    ]  # fmt: skip
    refused = command(environment, "preview", "pages", "--weakness", first, "--rows", "9")
    assert refused.returncode == 2
    assert "error [out_of_range]" in refused.stderr


def test_a_preview_that_takes_too_long_is_ended(
    environment: dict[str, str], tmp_path: Path
) -> None:
    program = (
        "from activesynth_airflow.web.previewing import run_command\n"
        "from activesynth.errors import TransientError\n"
        "try: run_command(['show', 'campaigns'], 0.01)\n"
        "except TransientError as error: print(error.reason)\n"
    )
    paths = os.pathsep.join([str(ROOT), str(ROOT / "plugins")])
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, **environment, "PYTHONPATH": paths, "AIRFLOW_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
    )

    assert done.stdout.splitlines()[-1] == "preview_timeout", done.stderr
