"""Processes whose wall clock is wrong, by libfaketime; the clocks that nobody sets stay right."""

from __future__ import annotations

import os
import select
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

OFFSET = "FAKETIME"
PACKAGE = "faketime"


@dataclass
class Apart:
    """A clock of the platform that is ahead of the right one."""

    by: timedelta

    def now(self) -> datetime:
        return datetime.now(UTC) + self.by


def library() -> Path | None:
    """Return the library of Debian's package ``faketime``, if it is installed."""
    found = sorted(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))
    return found[0] if found else None


def environment(seconds: float = 0.0) -> dict[str, str]:
    """Return the variables under which a new process sees a clock that is ``seconds`` ahead.

    Raises:
        FileNotFoundError: If the library is not installed.
    """
    path = library()
    if path is None:
        raise FileNotFoundError(f"false clocks need the Debian package {PACKAGE}")
    return {
        "LD_PRELOAD": str(path),
        OFFSET: f"{seconds:+f}",
        "FAKETIME_NO_CACHE": "1",  # so that the clock jumps as soon as it is told
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "NO_FAKE_STAT": "1",
    }


def is_loaded() -> bool:
    """Tell whether this process can have a false clock."""
    return OFFSET in os.environ


def start_again_with_false_clocks() -> None:
    """Replace this process by itself with the library loaded; programs it starts have it not."""
    if is_loaded():
        os.environ.pop("LD_PRELOAD", None)
        # The library and Python's own sleep do not go together: EINVAL.
        time.sleep = lambda seconds: select.select([], [], [], float(seconds)) and None
        return
    os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, **environment()})


def set_clock(seconds: float) -> None:
    """Have this process see a clock that is ``seconds`` ahead from now on."""
    os.environ[OFFSET] = f"{seconds:+f}"


@contextmanager
def clock_ahead(seconds: float) -> Iterator[None]:
    """Have this process, and what it forks inside of the block, see a false clock."""
    before = os.environ[OFFSET]
    set_clock(seconds)
    try:
        yield
    finally:
        os.environ[OFFSET] = before
