"""Whatever effect an iteration dies at, a retry leaves what an undisturbed run leaves."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from platform_fixtures import PostgresServer

ROOT = Path(__file__).parents[2]


def run_suite(
    server: PostgresServer, template: str, folder: Path, *arguments: str
) -> tuple[int, dict[str, Any], str]:
    """Run the suite in a process of its own: this one may have used native threads."""
    folders = [ROOT, ROOT / "tests", ROOT / "tests" / "faults", ROOT / "plugins"]
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(map(str, folders)),
        "OMP_NUM_THREADS": "1",
    }
    finished = subprocess.run(
        [
            sys.executable,
            str(ROOT / "tests" / "faults" / "kill_suite.py"),
            server.url(),
            template,
            str(folder),
            *arguments,
        ],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    lines = finished.stdout.splitlines()
    assert lines, finished.stderr
    return finished.returncode, json.loads(lines[-1]), finished.stdout


@pytest.fixture
def template(postgres_server: PostgresServer) -> str:
    """Return a migrated database that no test connects to, to copy from."""
    from activesynth.lineage.migrate import upgrade

    name = postgres_server.create_database()
    upgrade(postgres_server.url(name))
    return name


def test_a_kill_at_any_effect_leaves_after_a_retry_what_an_undisturbed_run_leaves(
    postgres_server: PostgresServer, template: str, tmp_path: Path
) -> None:
    """Every second effect and all around the commit; `make faults` kills at any of them."""
    code, summary, output = run_suite(postgres_server, template, tmp_path, "2")

    assert code == 0, output
    assert set(summary["cases"]) == {"blob.put", "sql.commit", "outbox.send", "trigger"}
    assert summary["held"] >= summary["effects"] > 45


def test_the_suite_catches_a_naive_protocol(
    postgres_server: PostgresServer, template: str, tmp_path: Path
) -> None:
    code, summary, _ = run_suite(postgres_server, template, tmp_path, "20", "naive")

    assert code == 1
    assert summary["broken"] > 0
