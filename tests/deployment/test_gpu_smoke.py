"""What tries a GPU must itself be sound: it runs on a CPU, and it fails where it should."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch

PROGRAM = Path(__file__).parents[2] / "docker" / "bin" / "gpu_smoke.py"
WRONG_SEARCH = """
from activesynth.index.faiss_index import FaissIndex

class Rolled(FaissIndex):
    def search(self, index, queries, k):
        distances, ids = super().search(index, queries, k)
        return distances, (ids + (self.device == "cuda")) % 5000

    def __init__(self, *, device, flat_rows):
        super().__init__(device="cpu", flat_rows=flat_rows)
        self.device = device

import activesynth.index.faiss_index
activesynth.index.faiss_index.FaissIndex = Rolled
"""


def run(*lines: str) -> tuple[int, str]:
    code = "\n".join(["import runpy, sys", *lines])
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


def test_everything_holds_on_a_cpu() -> None:
    code, told = run(
        "sys.argv = ['gpu_smoke.py', '--device', 'cpu']",
        f"runpy.run_path({str(PROGRAM)!r}, run_name='__main__')",
    )

    assert code == 0, told
    assert told.count("ok ") == 4, told


def test_a_device_that_finds_other_neighbours_fails() -> None:
    code, told = run(
        WRONG_SEARCH,
        f"found = runpy.run_path({str(PROGRAM)!r})",
        "found['check_index']('cuda')",
    )

    assert code == 1
    assert "of the neighbours are those that the CPU finds" in told


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_without_a_gpu_it_says_so() -> None:
    code, told = run(
        "sys.argv = ['gpu_smoke.py']", f"runpy.run_path({str(PROGRAM)!r}, run_name='__main__')"
    )

    assert code == 1
    assert "no CUDA device" in told
