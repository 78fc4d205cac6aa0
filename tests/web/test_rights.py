"""Every route of ours, asked by nobody and by people of every role: who gets what."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from running_airflow import ROOT
from web_fixtures import PEOPLE, PREFIX, Site

READ, ANNOTATE, OPERATE = "read", "annotate", "operate"
MAY = {
    READ: ("viewer", "user", "op", "admin"),
    ANNOTATE: ("user", "op", "admin"),
    OPERATE: ("op", "admin"),
}
API = "/api/v1/campaigns/{campaign}"
RULES: dict[tuple[str, str], str] = {
    ("GET", "/campaigns"): READ,
    ("GET", "/campaigns/{campaign}"): READ,
    ("GET", "/campaigns/{campaign}/iterations/{number}"): READ,
    ("GET", "/campaigns/{campaign}/samples/{sample}"): READ,
    ("GET", "/campaigns/{campaign}/versions/{digest}"): READ,
    ("GET", "/campaigns/{campaign}/annotate"): ANNOTATE,
    ("GET", "/campaigns/{campaign}/pictures/{sample}"): READ,
    ("GET", "/runs/{dag_id}/{run_id}"): READ,
    ("GET", "/static/{name}"): READ,
    ("GET", "/api/v1/openapi.json"): READ,
    ("GET", "/api/v1/campaigns"): READ,
    ("GET", f"{API}/iterations"): READ,
    ("GET", f"{API}/weaknesses"): READ,
    ("GET", f"{API}/iterations/{{number}}/candidates"): READ,
    ("GET", f"{API}/samples/{{sample}}"): READ,
    ("GET", f"{API}/versions/{{digest}}/members"): READ,
    ("POST", f"{API}/queue/next"): ANNOTATE,
    ("POST", f"{API}/queue/answers"): ANNOTATE,
    ("POST", f"{API}/queue/undo"): ANNOTATE,
    ("POST", f"{API}/queue/release"): ANNOTATE,
}
BODIES: dict[str, Any] = {
    "next": {"limit": 1},
    "answers": {"item": "none", "sample": "none", "version": 0, "action": "skip"},
    "undo": {"item": "none"},
    "release": {},
}


@pytest.fixture(scope="module")
def routes(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[str, str]]:
    """Return method and path of every route, as the application itself lists them."""
    program = (
        "import json; from activesynth_airflow.web.app import build_app; "
        "print('ROUTES', json.dumps([[m, r.path] for r in build_app().routes "
        "for m in sorted(getattr(r, 'methods', None) or ['MOUNT'])]))"
    )
    environment = {
        **os.environ,
        "AIRFLOW_HOME": str(tmp_path_factory.mktemp("airflow")),
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "plugins")]),
    }
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("ROUTES ")]
    return [(method, path) for method, path in json.loads(line.removeprefix("ROUTES "))]


def address(path: str, site: Site, campaign: str = "pages") -> str:
    (sample, version) = site.running.rows(
        "select s.id, c.head from activesynth.samples s join activesynth.campaigns c "
        "on c.name = s.campaign where s.campaign = 'pages' and s.origin = 'synthetic' limit 1"
    )[0]
    run = site.running.rows(
        "select run_key from activesynth.iterations where campaign = 'pages' and number = 0"
    )[0][0]
    return path.format(
        campaign=campaign, number=0, sample=sample, digest=version, dag_id="active_synthesis",
        run_id=run, name="style.css",
    )  # fmt: skip


def ask(site: Site, method: str, path: str, person: str | None) -> int:
    body = BODIES[path.rpartition("/")[2]] if method == "POST" else None
    return site.ask(method, PREFIX + path, person=person, body=body).status


def test_every_route_has_a_rule(routes: list[tuple[str, str]]) -> None:
    assert set(routes) - {("HEAD", path) for _, path in routes} == set(RULES)


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
            # What is asked about is not there, which only who may ask is told.
            expected = [404, 409] if path.endswith(("/answers", "/undo")) else [200]
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
    import urllib.error
    import urllib.request

    request = urllib.request.Request(  # noqa: S310
        f"{site.url}{PREFIX}/api/v1/campaigns/asked/queue/release",
        b"{}",
        {"Authorization": f"Bearer {site.token('ulla')}", "Content-Type": "application/json"},
        method="POST",
    )
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(request, timeout=60)  # noqa: S310

    assert caught.value.code == 403


def test_every_answer_forbids_scripts_from_elsewhere_and_guessing_of_types(site: Site) -> None:
    for path in ("/campaigns", "/static/theme.js", "/api/v1/campaigns", "/campaigns/nowhere"):
        headers = site.page(path).headers
        assert "script-src 'self'" in headers["content-security-policy"]
        assert "unsafe-inline" not in headers["content-security-policy"].partition("style-src")[0]
        assert headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("name", ["..%2fapp.py", "app.py", "%2fetc%2fpasswd", "nothing.js"])
def test_no_file_is_served_but_ours(site: Site, name: str) -> None:
    assert site.page(f"/static/{name}").status == 404
