"""A run of all tests is worth what it did not skip."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

SKIPPING = (
    "import pytest\ndef test_a() -> None: pytest.skip({reason!r})\ndef test_b() -> None: ...\n"
)
PASSING = "def test_b() -> None: ...\n"
EXPECTED = "import pytest\n@pytest.mark.xfail(reason='known')\ndef test_a() -> None: assert False\n"
MARKED = "import pytest\n@pytest.mark.skipif(True, reason='no server')\ndef test_a() -> None: ...\n"
FIXTURE = (
    "import pytest\n@pytest.fixture\ndef server() -> None: pytest.skip('no server')\n"
    "def test_a(server: None) -> None: ...\n"
)
WHOLE = "import pytest\npytest.skip('no server', allow_module_level=True)\n"


def run(folder: Path, code: str, *, setting: str | None) -> subprocess.CompletedProcess[str]:
    (folder / "pytest.ini").write_text("[pytest]\n")
    (folder / "test_inner.py").write_text(code)
    (folder / "test_other.py").write_text(PASSING)
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
    environment.pop("ACTIVESYNTH_TEST_NO_SKIPS", None)
    if setting is not None:
        environment["ACTIVESYNTH_TEST_NO_SKIPS"] = setting
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no_skips", "-p", "no:cacheprovider"]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)


@pytest.mark.parametrize("code", [SKIPPING.format(reason="no server"), MARKED, FIXTURE, WHOLE])
def test_a_skip_fails_the_session_and_is_named(tmp_path: Path, code: str) -> None:
    done = run(tmp_path, code, setting="1")

    assert done.returncode == 1
    assert "skipped, though ACTIVESYNTH_TEST_NO_SKIPS is set" in done.stdout
    assert "test_inner.py" in done.stdout
    assert "no server" in done.stdout


@pytest.mark.parametrize(
    "code",
    [PASSING, EXPECTED, SKIPPING.format(reason="needs a CUDA device")],
)
def test_passing_expected_failures_and_a_missing_gpu_are_let_through(
    tmp_path: Path, code: str
) -> None:
    assert run(tmp_path, code, setting="1").returncode == 0


@pytest.mark.parametrize("setting", [None, ""])
def test_without_the_variable_skips_are_only_reported(tmp_path: Path, setting: str | None) -> None:
    assert run(tmp_path, SKIPPING.format(reason="no server"), setting=setting).returncode == 0


def test_continuous_integration_asks_for_it() -> None:
    root = Path(__file__).parent.parent

    assert "export ACTIVESYNTH_TEST_NO_SKIPS=1\n" in (root / ".ci" / "run").read_text()
    assert '"no_skips"' in (root / "tests" / "conftest.py").read_text()
