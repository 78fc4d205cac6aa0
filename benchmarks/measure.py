"""Seconds and peak memory of one call, and the rows of the printed table."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")
Clock = Callable[[], float]

_STATUS = Path("/proc/self/status")
_CLEAR = Path("/proc/self/clear_refs")


@dataclass(frozen=True, slots=True)
class Case:
    """One measured case; the first case of a benchmark is what the others are divided by.

    ``memory_mb`` is how far the process grew above its size before the call, at its peak, in MiB;
    None where the kernel does not tell. ``note`` says at which quality the time was bought.
    """

    name: str
    seconds: float
    memory_mb: float | None = None
    note: str = ""

    def noted(self, note: str) -> Case:
        """Return the same measurement with what is known only after it."""
        return replace(self, note=note)


def measured(
    name: str,
    call: Callable[[], T],
    *,
    note: str = "",
    repeats: int = 1,
    clock: Clock = time.perf_counter,
) -> tuple[Case, T]:
    """Run ``call`` and return what it cost and what it returned.

    Of ``repeats`` runs the fastest counts: what else the machine does only ever adds time. With
    :func:`time.process_time` as ``clock`` only this process's own computing counts, which is the
    steadier number where no other process works for it.
    """
    before = _start_of_peak()
    seconds = math.inf
    for _ in range(repeats):
        started = clock()
        result = call()
        seconds = min(seconds, clock() - started)
    grown = None if before is None else max(0.0, _resident("VmHWM") - before)
    return Case(name, seconds, grown, note), result


def _start_of_peak() -> float | None:
    """Forget the highest resident size so far and return the present one, in MiB."""
    try:
        _CLEAR.write_text("5")  # proc(5): resets VmHWM to VmRSS
        return _resident("VmRSS")
    except OSError:
        return None


def _resident(field: str) -> float:
    found = re.search(rf"^{field}:\s+(\d+) kB$", _STATUS.read_text(), re.MULTILINE)
    return int(found.group(1)) / 1024 if found else 0.0
