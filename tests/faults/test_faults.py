"""A few cases of every family of faults; ``make faults`` runs hundreds of each."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from false_clocks import PACKAGE, library
from s3_fixtures import S3Server, missing_ceph_binaries, server_from_environment

ROOT = Path(__file__).parents[2]
PROGRAM = ROOT / "tests" / "faults" / "fault_program.py"


FAMILIES = [
    *("kills", "zombies", "deliveries", "racers", "crashes", "store errors", "two runs"),
    *("stops", "memory", "clocks"),
]


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
    found = [line for line in output.splitlines() if line.startswith(f"| {family} |")]
    assert found, output[-2000:]
    return [cell.strip() for cell in found[0].strip("|").split("|")]


@pytest.fixture(scope="module")
def table(request: pytest.FixtureRequest) -> str:
    """Run a few cases of every family, which costs more than looking at them."""
    chosen = ["--short"]
    lacking = {"clocks"} if library() is None else set()
    if server_from_environment() is None and missing_ceph_binaries():
        lacking |= {"store errors"}
    if lacking:
        chosen += ["--families", ",".join(name for name in FAMILIES if name not in lacking)]
    if "store errors" in lacking:
        return run_program(*chosen)[1]
    server: S3Server = request.getfixturevalue("s3_server")
    variables = {
        "ACTIVESYNTH_TEST_S3_ENDPOINT": server.endpoint,
        "ACTIVESYNTH_TEST_S3_ACCESS_KEY": server.access_key,
        "ACTIVESYNTH_TEST_S3_SECRET_KEY": server.secret_key,
    }
    return run_program(*chosen, s3=variables)[1]


def assert_held(table: str, family: str) -> None:
    """Check that all of ours held, and that the naive protocol did not."""
    _, cases, held, broken, naive, _, _ = cells(table, family)
    assert (held, broken) == (cases, "0"), table
    assert not naive.startswith("0 of"), table


def test_task_processes_killed_at_random_leave_what_an_undisturbed_run_leaves(table: str) -> None:
    assert_held(table, "kills")


def test_a_paused_task_that_wakes_after_a_take_over_is_refused(table: str) -> None:
    assert_held(table, "zombies")


def test_a_task_delivered_twice_at_once_or_late_has_one_effect(table: str) -> None:
    assert_held(table, "deliveries")


def test_eight_racing_committers_write_one_line_of_history(table: str) -> None:
    assert_held(table, "racers")


def test_what_postgres_acknowledged_survives_its_crashes(table: str) -> None:
    assert_held(table, "crashes")


@pytest.mark.usefixtures("s3_server")
def test_every_kind_of_store_error_is_survived_or_named(table: str) -> None:
    assert_held(table, "store errors")

    assert len(cells(table, "store errors")[-1].split(";")) == 11


def test_of_two_runs_of_one_iteration_one_commits_and_the_other_is_told(table: str) -> None:
    assert_held(table, "two runs")


def test_a_task_that_is_told_to_end_lets_go_and_is_run_again(table: str) -> None:
    assert_held(table, "stops")


def test_a_task_whose_memory_runs_out_leaves_nothing_partial_and_is_run_again(table: str) -> None:
    assert_held(table, "memory")


@pytest.mark.skipif(library() is None, reason=f"needs the package {PACKAGE}")
def test_clocks_that_are_apart_or_jump_lose_nothing(table: str) -> None:
    assert_held(table, "clocks")


def test_an_unknown_family_is_refused_with_those_there_are() -> None:
    code, output = run_program("--families", "earthquakes")

    assert code == 2
    assert "no family earthquakes; there are: kills, zombies" in output
