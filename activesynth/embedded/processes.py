"""Processes as the kernel shows them in /proc: who they are, whether they live, how they end."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")


@dataclass(frozen=True, slots=True)
class Process:
    """One process, told apart from a later one with the same number by its start time.

    ``started`` is in clock ticks since boot, ``session`` the id of its session.
    """

    pid: int
    started: int
    session: int

    @property
    def is_alive(self) -> bool:
        """Whether this very process still runs; one that waits to be reaped does not."""
        found = find(self.pid)
        return found is not None and found.started == self.started


def boot_id() -> str:
    """Return the identity of this boot: start times of two boots do not compare."""
    return (_PROC / "sys/kernel/random/boot_id").read_text().strip()


def find(pid: int) -> Process | None:
    """Return the process with this number, or nothing if it has ended."""
    try:
        text = (_PROC / str(pid) / "stat").read_text(errors="replace")
    except OSError:
        return None
    # The name in brackets may hold spaces and brackets; fields count from the last bracket on.
    fields = text[text.rindex(")") + 2 :].split()
    if fields[0] in "ZX":
        return None
    return Process(pid=pid, started=int(fields[19]), session=int(fields[3]))


def running() -> list[Process]:
    """Return every process on the machine that has not ended."""
    pids = (int(entry.name) for entry in _PROC.iterdir() if entry.name.isdigit())
    return [process for process in map(find, pids) if process is not None]


def stands_in(process: Process, folder: Path) -> bool:
    """Whether the working folder of the process is ``folder``."""
    return _same_file(process, "cwd", folder)


def writes_to(process: Process, log: Path) -> bool:
    """Whether the standard output of the process is the file ``log``."""
    return _same_file(process, "fd/1", log)


def program(process: Process) -> str:
    """Return the file name of what the process runs, empty if that cannot be read."""
    try:
        return (_PROC / str(process.pid) / "exe").readlink().name
    except OSError:
        return ""


def end(processes: Iterable[Process], sign: signal.Signals) -> None:
    """Send a signal to those of the processes that are still themselves."""
    for process in processes:
        if process.is_alive:
            with suppress(ProcessLookupError):
                os.kill(process.pid, sign)


def wait_until(is_done: Callable[[], bool], *, seconds: float) -> bool:
    """Wait until ``is_done`` says yes; return what it said last."""
    deadline = time.monotonic() + seconds
    while not is_done():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def _same_file(process: Process, link: str, path: Path) -> bool:
    try:
        return (_PROC / str(process.pid) / link).samefile(path)
    except OSError:
        return False
