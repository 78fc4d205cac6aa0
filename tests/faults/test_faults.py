"""A few cases of every family of faults; ``make faults`` runs hundreds of each."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROGRAM = ROOT / "tests" / "faults" / "fault_program.py"


def run_program(*arguments: str, s3: dict[str, str] | None = None) -> tuple[int, str]:
    """Run it in a process of its own: this one may have used native threads."""
    folders = [ROOT, ROOT / "plugins", ROOT / "tests"]
    environment = {
        **os.environ,
        **(s3 or {}),
        "PYTHONPATH": os.pathsep.join(map(str, folders)),
        "OMP_NUM_THREADS": "1",
    }
    command = [sys.executable, str(PROGRAM), *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def cells(output: str, family: str) -> list[str]:
    """Return the cells of a family's row in the table."""
    row = next(line for line in output.splitlines() if line.startswith(f"| {family} |"))
    return [cell.strip() for cell in row.strip("|").split("|")]


def test_whatever_befalls_its_tasks_a_campaign_ends_where_an_undisturbed_one_ends() -> None:
    families = "kills,zombies,deliveries,racers,crashes,two runs"

    code, output = run_program("--short", "--families", families)

    assert code == 0, output
    for family in families.split(","):
        _, cases, held, broken, naive, _, _ = cells(output, family)
        assert (held, broken) == (cases, "0")
        assert not naive.startswith("0 of")


def test_an_unknown_family_is_refused_with_those_there_are() -> None:
    code, output = run_program("--families", "earthquakes")

    assert code == 2
    assert "no family earthquakes; there are: kills, zombies" in output


@pytest.fixture
def s3_variables(s3_server: object) -> dict[str, str]:
    names = ("endpoint", "access_key", "secret_key")
    return {f"ACTIVESYNTH_TEST_S3_{n.upper()}": str(getattr(s3_server, n)) for n in names}


def test_every_kind_of_store_error_is_survived_or_named(s3_variables: dict[str, str]) -> None:
    code, output = run_program("--short", "--families", "store errors", s3=s3_variables)

    assert code == 0, output
    _, cases, held, broken, _, _, kinds = cells(output, "store errors")
    assert (held, broken) == (cases, "0")
    assert len(kinds.split(";")) == 11
