"""Fresh processes for stages, one at a time or two at once."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import IO

from benchmarks.database import Place


@dataclass(frozen=True, slots=True)
class Run:
    """What one stage cost: seconds, and MiB of resident memory.

    ``grown_mb`` is the peak above what the process held before, ``peak_mb`` the peak itself,
    ``child_mb`` that of a process it started. ``computed`` and ``waited`` are the seconds on a core
    and those without one though it could have run; the rest waits for the database or the disk.
    """

    seconds: float
    started: float
    ended: float
    computed: float
    waited: float
    grown_mb: float
    peak_mb: float
    child_mb: float
    load: float
    note: str


def run(stages: Sequence[str], place: Place, rows: int) -> list[Run]:
    """Run stages side by side, each in its own process; all begin when all are ready."""
    processes = [_start(stage, place, rows) for stage in stages]
    try:
        for process in processes:
            if _pipe(process.stdout).readline() != "ready\n":
                raise RuntimeError(_pipe(process.stderr).read())
        for process in processes:
            _pipe(process.stdin).write("go\n")
            _pipe(process.stdin).flush()
        return [_finished(process) for process in processes]
    finally:
        for process in processes:
            process.kill()
            process.wait()


def _start(stage: str, place: Place, rows: int) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.scale.program"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    request = {"folder": str(place.folder), "url": place.url, "stage": stage, "rows": rows}
    _pipe(process.stdin).write(json.dumps(request) + "\n")
    _pipe(process.stdin).flush()
    return process


def _finished(process: subprocess.Popen[str]) -> Run:
    out, complaints = process.communicate()
    if process.returncode:
        raise RuntimeError(complaints)
    return Run(**json.loads(out.splitlines()[-1]))


def _pipe(pipe: IO[str] | None) -> IO[str]:
    assert pipe is not None
    return pipe
