"""Which executor runs the tasks that want a GPU, as the DAG files are read."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CODE = f"""
import json
from airflow.dag_processing.dagbag import DagBag
bag = DagBag({str(ROOT / "dags")!r})
assert not bag.import_errors, bag.import_errors
tasks = [task for dag in bag.dags.values() for task in dag.tasks]
print(json.dumps(sorted({{(task.queue, task.executor or "") for task in tasks}})))
"""


def executors(home: Path, **environment: str) -> list[list[str]]:
    finished = subprocess.run(
        [sys.executable, "-c", CODE],
        env={
            **os.environ,
            "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'plugins'}",
            "AIRFLOW_HOME": str(home),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home / 'airflow.db'}",
            "ACTIVESYNTH_CAMPAIGNS": str(ROOT / "campaigns"),
            **environment,
        },
        capture_output=True,
        text=True,
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
    found: list[list[str]] = json.loads(finished.stdout.splitlines()[-1])
    return found


@pytest.mark.parametrize("named", ["", "LocalExecutor"])
def test_tasks_of_the_queue_gpu_and_no_others_go_to_the_executor_that_is_named(
    named: str, tmp_path: Path
) -> None:
    environment = {"ACTIVESYNTH_GPU_EXECUTOR": named} if named else {}

    assert executors(tmp_path, **environment) == [["default", ""], ["gpu", named]]
