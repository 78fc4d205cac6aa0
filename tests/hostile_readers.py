"""Readers that do what a decoder must not, for the sandbox to survive."""

from __future__ import annotations

import errno
import os
import signal
import sys
import time
from pathlib import Path

import numpy as np

from activesynth.datasets.parameters import Budgets
from activesynth.datasets.rows import Rows, Working


def crash(parameters: Budgets, working: Working) -> Rows:
    working("evil.png")
    os.kill(os.getpid(), signal.SIGSEGV)
    raise AssertionError("still here")


def spin(parameters: Budgets, working: Working) -> Rows:
    while True:
        working("slow.png")


def sleep(parameters: Budgets, working: Working) -> Rows:
    working("asleep.png")
    time.sleep(3600)
    raise AssertionError("awake")


def grow(parameters: Budgets, working: Working) -> Rows:
    working("big.png")
    kept = []
    while True:
        kept.append(np.ones(1 << 20))


def end(parameters: Budgets, working: Working) -> Rows:
    os._exit(3)


def fail(parameters: Budgets, working: Working) -> Rows:
    raise LookupError("lost \x1b[31m the plot")


def fill(parameters: Budgets, working: Working) -> Rows:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def flood(parameters: Budgets, working: Working) -> Rows:
    return Rows(np.zeros((1, 300 << 20), np.uint8), np.zeros(1, np.int64), ("a", "b"))


def lie(parameters: Budgets, working: Working) -> Rows:
    return Rows(np.zeros((3, 2)), np.array([0, 1, 7]), ("a", "b"))


def box(parameters: Budgets, working: Working) -> Rows:
    return Rows(np.array([[{}]], object), np.zeros(1, np.int64), ("a", "b"))


def look_around(parameters: Budgets, working: Working) -> Rows:
    """Return what the process sees: its environment, modules and folder, as class names."""
    heavy = {"torch", "airflow", "sqlalchemy", "pyarrow", "sklearn", "faiss"} & set(sys.modules)
    seen = [f"{key}={value}"[:90] for key, value in os.environ.items() if key != "PYTHONPATH"]
    facts = [*seen, f"heavy={sorted(heavy)}", f"cwd={Path.cwd()}", f"sid={os.getsid(0)}"]
    return Rows(np.zeros((2, 2)), np.array([0, 1]), tuple(facts))
