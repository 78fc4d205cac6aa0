from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = ("torch", "airflow", "numpy", "sqlalchemy", "plotly", "diffusers", "sklearn", "faiss")


def loaded_by(code: str) -> set[str]:
    """Return which heavy packages a fresh interpreter holds after ``code``."""
    report = f"import sys; print(*sorted(set({HEAVY}) & set(sys.modules)), file=sys.stderr)"
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\n{report}"], capture_output=True, text=True, check=True
    )
    return set(done.stderr.split())


@pytest.mark.parametrize(
    "arguments", [["--help"], ["run", "--help"], ["demo", "--help"], ["show", "metrics", "--help"]]
)
def test_help_loads_nothing_heavy(arguments: list[str]) -> None:
    found = loaded_by(f"from activesynth.cli import main; assert main({arguments}) == 0")

    assert found == set()


def test_the_check_of_heavy_imports_can_fail() -> None:
    assert loaded_by("import numpy") == {"numpy"}


def test_threads_are_set_before_numpy_is_loaded() -> None:
    code = (
        "import os\n"
        "for name in ('OMP_NUM_THREADS', 'ACTIVESYNTH_THREADS'): os.environ.pop(name, None)\n"
        "from activesynth.cli import main\n"
        "main(['--help'])\n"
        "assert os.environ['OMP_NUM_THREADS'] == '1'"
    )

    assert loaded_by(code) == set()
