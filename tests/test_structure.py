"""The shape of the package: what is imported when, how long modules are, what DAG files load."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGES = ("activesynth", "plugins", "dags")


def loaded_by(code: str, **environment: str) -> set[str]:
    """Return the top-level modules that a fresh interpreter has loaded after ``code``."""
    script = f"{code}\nimport json, sys\nprint(json.dumps(sorted(sys.modules)))"
    finished = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'plugins'}", **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return {name.split(".")[0] for name in json.loads(finished.stdout.splitlines()[-1])}


def module_lengths() -> dict[str, int]:
    return {
        str(path.relative_to(ROOT)): len(path.read_text().splitlines())
        for package in PACKAGES
        for path in (ROOT / package).rglob("*.py")
    }


def test_importing_the_package_loads_neither_torch_nor_airflow() -> None:
    loaded = loaded_by("import activesynth")

    assert loaded.isdisjoint({"torch", "airflow", "numpy", "sqlalchemy", "faiss"})


def test_the_composition_root_loads_no_framework_before_a_part_is_used() -> None:
    loaded = loaded_by("import activesynth.bootstrap")

    assert loaded.isdisjoint({"torch", "diffusers", "sklearn", "airflow"})


def test_no_module_is_longer_than_500_lines_and_half_are_under_120() -> None:
    lengths = module_lengths()

    assert max(lengths.values()) <= 500, max(lengths, key=lambda name: lengths[name])
    assert statistics.median(lengths.values()) < 120


def test_the_dag_folder_parses_without_torch(tmp_path: Path) -> None:
    code = (
        "from airflow.dag_processing.dagbag import DagBag\n"
        f"bag = DagBag({str(ROOT / 'dags')!r})\n"
        "assert not bag.import_errors, bag.import_errors\n"
        "assert {'active_synthesis', 'dataset_refresh__digits'} <= set(bag.dags), bag.dags\n"
        "form = bag.dags['active_synthesis'].params\n"
        "assert len(form) <= 6, list(form)\n"
        "assert all(form.get_param(name).description for name in form)\n"
        "assert bag.dags['active_synthesis'].doc_md"
    )

    loaded = loaded_by(
        code,
        AIRFLOW_HOME=str(tmp_path),
        AIRFLOW__CORE__LOAD_EXAMPLES="False",
        AIRFLOW__DATABASE__SQL_ALCHEMY_CONN=f"sqlite:///{tmp_path / 'airflow.db'}",
        ACTIVESYNTH_CAMPAIGNS=str(ROOT / "campaigns"),
    )

    assert "airflow" in loaded
    assert loaded.isdisjoint({"torch", "diffusers", "faiss", "sklearn"})
