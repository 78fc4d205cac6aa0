"""The routes of our pages, and who may ask each: one that is not here fails a test."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from running_airflow import ROOT
from web_fixtures import PREFIX, Site

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
    ("GET", API): READ,
    ("GET", f"{API}/iterations"): READ,
    ("GET", f"{API}/weaknesses"): READ,
    ("GET", f"{API}/iterations/{{number}}/candidates"): READ,
    ("GET", f"{API}/iterations/{{number}}/predictions"): READ,
    ("GET", f"{API}/samples/{{sample}}"): READ,
    ("GET", f"{API}/versions/{{digest}}/members"): READ,
    ("GET", "/campaigns/{campaign}/weaknesses"): READ,
    ("GET", "/campaigns/{campaign}/recall"): READ,
    ("GET", f"{API}/declarations"): READ,
    ("GET", f"{API}/reach"): READ,
    ("GET", f"{API}/plan"): READ,
    ("GET", f"{API}/plan/cost"): READ,
    ("POST", f"{API}/plan/proposals"): OPERATE,
    ("POST", f"{API}/plan/withdrawal"): OPERATE,
    ("POST", f"{API}/preview"): OPERATE,
    ("POST", f"{API}/declarations"): OPERATE,
    ("POST", f"{API}/withdrawals"): OPERATE,
    ("POST", f"{API}/recalls"): OPERATE,
    ("POST", f"{API}/queue/next"): ANNOTATE,
    ("POST", f"{API}/queue/answers"): ANNOTATE,
    ("POST", f"{API}/queue/undo"): ANNOTATE,
    ("POST", f"{API}/queue/release"): ANNOTATE,
    ("POST", f"{API}/queue/finish"): ANNOTATE,
}
BODIES: dict[str, Any] = {
    "next": {"limit": 1},
    "answers": {"item": "none", "sample": "none", "version": 0, "action": "skip"},
    "undo": {"item": "none"},
    "release": {},
    "finish": {},
    "declarations": {"label": "no such class", "reason": "a test"},
    "withdrawals": {"target": "class:9999", "reason": "a test"},
    "proposals": {"amounts": {"no such weakness": 1}, "reason": "a test"},
    "withdrawal": {"reason": "a test"},
    "preview": {"weakness": "no such weakness", "rows": 1},
    "recalls": {"weakness": "no such weakness", "reason": "a test"},
}


def listed_routes(airflow_home: Path) -> set[tuple[str, str]]:
    """Return method and path of every route, as the application itself lists them."""
    program = (
        "import json; from activesynth_airflow.web.app import build_app; "
        "print('ROUTES', json.dumps([[m, r.path] for r in build_app().routes "
        "for m in sorted(getattr(r, 'methods', None) or ['MOUNT'])]))"
    )
    environment = {
        **os.environ,
        "AIRFLOW_HOME": str(airflow_home),
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "plugins")]),
    }
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("ROUTES ")]
    return {(method, path) for method, path in json.loads(line.removeprefix("ROUTES "))}


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
