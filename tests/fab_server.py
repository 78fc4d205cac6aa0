"""A second server of the same Airflow whose people and rights are Flask-AppBuilder's."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from activesynth.embedded.airflow_settings import airflow_environment, keep_secrets
from running_airflow import ROOT
from web_fixtures import PEOPLE, Site

MANAGER = "airflow.providers.fab.auth_manager.fab_auth_manager.FabAuthManager"
PASSWORD = "of nobody but these tests"
# One process for all: each command of Airflow costs seconds.
PREPARE = """
import json, sys
from airflow.providers.fab.auth_manager.cli_commands.utils import get_application_builder
from airflow.providers.fab.auth_manager.models.db import FABDBManager
from airflow.utils.session import create_session
with create_session() as session:
    FABDBManager(session).upgradedb()
with get_application_builder() as builder:
    for name, role in json.loads(sys.argv[1]).items():
        found = builder.sm.find_role(role.capitalize())
        builder.sm.add_user(name, name, name, name + "@example.org", [found], sys.argv[2])
"""


@contextmanager
def fab_server(site: Site, folder: Path) -> Iterator[Site]:
    """Serve the Airflow of ``site`` to people of another list, on a port of its own."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    platform = site.running.platform
    places = platform._places
    environment = airflow_environment(
        places, platform._running_postgres(), keep_secrets(places), port=port, threads=1
    )
    environment |= {
        "AIRFLOW__CORE__AUTH_MANAGER": MANAGER,
    }
    people = {**PEOPLE, "admin": "admin"}
    prepare = [sys.executable, "-c", PREPARE, json.dumps(people), PASSWORD]
    done = subprocess.run(prepare, env=environment, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    with (folder / "fab-server.log").open("wb") as log:
        command = [sys.executable, "-m", "airflow", "api-server"]
        server = subprocess.Popen(
            command, env=environment, cwd=ROOT, stdout=log, stderr=log, start_new_session=True
        )
    try:
        found = Site(site.running, url, dict.fromkeys(people, PASSWORD))
        site.running.wait_until(lambda: _answers(found), 120)
        yield found
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait(30)


def _answers(site: Site) -> bool:
    try:
        return site.ask("GET", "/api/v2/monitor/health").status == 200
    except OSError:
        return False


@pytest.fixture(scope="session")
def fab(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Share one such server among the tests of pages."""
    with fab_server(site, tmp_path_factory.mktemp("fab")) as made:
        yield made
