"""How a task ends that is told to end, or whose memory runs out: what Airflow tries again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import psycopg2
import pytest

ROOT = Path(__file__).parents[2]
WAITS = """
import time
from activesynth.errors import TransientError
from activesynth_airflow.platform import open_platform

try:
    with open_platform() as platform:
        platform.objects.put(b"held")
        print("ready", flush=True)
        for _ in range(6000):
            time.sleep(0.1)
except TransientError as error:
    print(error.reason, error)
"""
RUNS_OUT = """
import sys
from airflow.sdk.exceptions import AirflowFailException
from activesynth_airflow.platform import open_platform

try:
    with open_platform() as platform:
        platform.objects.put(b"held")
        if "gpu" in sys.argv:
            import torch
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        bytearray(1 << 60)
except AirflowFailException as error:
    print(error)
"""


def start(script: str, url: str, home: Path, *arguments: str) -> subprocess.Popen[str]:
    folders = (ROOT, ROOT / "plugins")
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(map(str, folders)),
        "ACTIVESYNTH_DATABASE_URL": url,
        "ACTIVESYNTH_HOME": str(home),
        "AIRFLOW_HOME": str(home / "airflow"),
    }
    command = [sys.executable, "-c", script, *arguments]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)


def leases(url: str) -> int:
    with closing(psycopg2.connect(url.replace("+psycopg2", ""))) as connection:
        cursor = connection.cursor()
        cursor.execute("select count(*) from activesynth.blob_leases")
        row = cursor.fetchone()
        assert row is not None
        return int(row[0])


def test_a_task_that_is_told_to_end_lets_go_and_is_tried_again(
    database_url: str, tmp_path: Path
) -> None:
    with start(WAITS, database_url, tmp_path) as task:
        assert task.stdout is not None
        assert "ready" in iter(lambda: task.stdout.readline().strip(), "")  # type: ignore[union-attr]
        held = leases(database_url)
        task.send_signal(signal.SIGTERM)
        said = task.communicate(timeout=120)[0]

    assert held == 1
    assert task.returncode == 0
    assert said.startswith("terminated the task was told to end")
    assert leases(database_url) == 0


@pytest.mark.parametrize(
    ("kind", "reason"), [("gpu", "gpu_out_of_memory"), ("machine", "out_of_memory")]
)
def test_a_task_whose_memory_runs_out_fails_at_once_with_its_reason(
    kind: str, reason: str, database_url: str, tmp_path: Path
) -> None:
    with start(RUNS_OUT, database_url, tmp_path, kind) as task:
        said = task.communicate(timeout=240)[0]

    assert f"[{reason}] this process ran out of memory" in said
    assert leases(database_url) == 0
