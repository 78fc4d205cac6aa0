"""A real Airflow with a campaign, people of every role, and a browser, for tests of its pages."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import Message
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import ProxyHandler, Request, build_opener

import pytest

from running_airflow import ROOT, Running, running_airflow, write_campaign
from tiny_campaign import SMALLEST, TINY

PREFIX = "/activesynth"
PEOPLE = {"vera": "viewer", "ulla": "user", "udo": "user", "otto": "op"}
_OPENER = build_opener(ProxyHandler({}))


@dataclass(frozen=True, slots=True)
class Answer:
    """What the server said."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """Return the body, which must be JSON."""
        return json.loads(self.body)


@dataclass(slots=True)
class Site:
    """A running Airflow, and a login for each person."""

    running: Running
    url: str
    passwords: dict[str, str]
    tokens: dict[str, str] = field(default_factory=dict)

    def token(self, person: str) -> str:
        """Log in once."""
        if person not in self.tokens:
            login = {"username": person, "password": self.passwords[person]}
            answer = self.ask("POST", "/auth/token", body=login)
            self.tokens[person] = str(answer.json["access_token"])
        return self.tokens[person]

    def ask(
        self,
        method: str,
        path: str,
        *,
        person: str | None = None,
        body: Any = None,
        headers: dict[str, str] | None = None,
    ) -> Answer:
        """Send a request as ``person``, or as nobody."""
        sent = {"Content-Type": "application/json", "X-Activesynth": "1"}
        if person is not None:
            sent["Authorization"] = f"Bearer {self.token(person)}"
        data = None if body is None else json.dumps(body).encode()
        request = Request(self.url + path, data, sent | (headers or {}), method=method)
        try:
            with _OPENER.open(request, timeout=60) as answer:
                return Answer(answer.status, _lower(answer.headers), answer.read())
        except HTTPError as error:
            return Answer(error.code, _lower(error.headers), error.read())

    def page(self, path: str, person: str = "ulla") -> Answer:
        """Ask for something of ours."""
        return self.ask("GET", PREFIX + path, person=person)

    def write(self, path: str, body: Any, person: str = "ulla", **headers: str) -> Answer:
        """Send a write to something of ours."""
        return self.ask("POST", PREFIX + path, person=person, body=body, headers=headers)


def _lower(headers: Message) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


@contextmanager
def site_of(folder: Path) -> Iterator[Site]:
    """Run an Airflow whose campaign `pages` has committed an iteration, and `asked` waits."""
    (folder / "campaigns").mkdir(parents=True)
    people = ",".join(f"{name}:{role}" for name, role in PEOPLE.items())
    before = os.environ.get("ACTIVESYNTH_USERS")
    os.environ["ACTIVESYNTH_USERS"] = people
    small = {**SMALLEST, "audits": {"run": []}}
    # Trained long enough to have weaknesses, for which samples are made.
    write_campaign(folder / "campaigns", "pages", **{**TINY, "audits": {"run": []}})
    asked = {"annotator": "people", "second_opinions": 1.0}
    write_campaign(
        folder / "campaigns",
        "asked",
        **{
            **small,
            "splits": {**small["splits"], "train": 0.2, "pool": 0.2},
            "selection": {"labels": 110, "review": 20},
            "annotation": asked,
        },
    )
    # Run from the trigger form, which says how many labels, and that people give them.
    for name in ("by_own", "by_fab"):
        write_campaign(
            folder / "campaigns",
            name,
            **{**small, "splits": {**small["splits"], "train": 0.2, "pool": 0.2}},
        )
    try:
        with running_airflow(folder) as running:
            environment = {**os.environ, **running.platform.environment()}
            command = [sys.executable, "-m", "activesynth.cli", "run", "pages"]
            subprocess.run(command, env=environment, cwd=ROOT, check=True, capture_output=True)
            running.start("asked", "asked__it0")
            waiting = "select 1 from activesynth.iterations where state = 'waiting'"
            running.wait_until(lambda: bool(running.rows(waiting)), 400)
            file = folder / "home" / "airflow" / "passwords.json"
            status = running.platform.status()
            yield Site(running, str(status.url), json.loads(file.read_text()))
    finally:
        if before is None:
            os.environ.pop("ACTIVESYNTH_USERS")
        else:
            os.environ["ACTIVESYNTH_USERS"] = before


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Share one server among the tests of a folder: starting it takes longer than all of them."""
    with site_of(tmp_path_factory.mktemp("site")) as made:
        yield made


@pytest.fixture(scope="session")
def places(site: Site) -> dict[str, str]:
    """Return the address of each kind of page."""
    sample, head, run = site.running.rows(
        "select s.id, c.head, i.run_key from activesynth.samples s "
        "join activesynth.campaigns c on c.name = s.campaign "
        "join activesynth.iterations i on i.campaign = c.name and i.number = 0 "
        "where s.campaign = 'pages' and s.verdict = 'accepted' and s.origin = 'synthetic' "
        "order by s.id limit 1"
    )[0]
    campaign = f"{PREFIX}/campaigns/pages"
    return {
        "campaigns": f"{PREFIX}/campaigns",
        "campaign": campaign,
        "iteration": f"{campaign}/iterations/0",
        "sample": f"{campaign}/samples/{sample}",
        "version": f"{campaign}/versions/{head}",
        "annotate": f"{PREFIX}/campaigns/asked/annotate",
        "weaknesses": f"{campaign}/weaknesses",
        "recall": f"{campaign}/recall",
        "run": f"{PREFIX}/runs/active_synthesis/{run}",
        "missing": f"{PREFIX}/campaigns/nowhere",
    }
