"""Processes that are killed, paused and resumed: children forked from a parent that only imports.

A forked child of a process that has used native threads may hang, so every operation happens in a
child, and the parent forks, waits and looks into the database.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import json
import os
import select
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from activesynth.errors import ActiveSynthError

_PR_SET_PDEATHSIG = 1
_ASKING = (signal.SIGINT, signal.SIGTERM)
_WARM = {
    "activesynth",
    "certifi",
    "cleanlab",
    "diffusers",
    "faiss",
    "minio",
    "numpy",
    "pandas",
    "psycopg2",
    "safetensors",
    "scipy",
    "sklearn",
    "sqlalchemy",
    "urllib3",
}


class Child:
    """One forked process that does ``work`` and leaves its JSON result, or its error, in a file."""

    def __init__(self, work: Callable[[], Any], result: Path) -> None:
        """Fork now."""
        self._result = result
        self._status: int | None = None
        result.unlink(missing_ok=True)
        # A signal that comes early must end the child, not unwind what its parent has on the stack.
        signal.pthread_sigmask(signal.SIG_BLOCK, _ASKING)
        self.pid = os.fork()
        if self.pid == 0:
            die_with_parent()
            for number in _ASKING:
                signal.signal(number, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _ASKING)
            os._exit(_do(work, result))
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _ASKING)
        self._handle = os.pidfd_open(self.pid)

    def wait(self, seconds: float | None = None) -> bool:
        """Wait until it has ended, at most ``seconds``; tell whether it has."""
        if self._status is None:
            poll = select.poll()
            poll.register(self._handle, select.POLLIN)
            if not poll.poll(None if seconds is None else seconds * 1000):
                return False
            self._collect(os.waitpid(self.pid, 0)[1])
        return True

    def wait_until_paused(self, seconds: float) -> bool:
        """Wait until it stands still by its own hand; False if it ended first."""
        with contextlib.suppress(TimeoutError):
            _, status = _within(seconds, lambda: os.waitpid(self.pid, os.WUNTRACED))
            if os.WIFSTOPPED(status):
                return True
            self._collect(status)
        return False

    def pause(self) -> bool:
        """Stop it where it is; False if it had ended."""
        self._signal(signal.SIGSTOP)
        return self.wait_until_paused(10)

    def resume(self) -> None:
        """Let it go on."""
        self._signal(signal.SIGCONT)

    def ask_to_end(self, number: signal.Signals) -> None:
        """Send it a signal that it may answer."""
        self._signal(number)

    def kill(self) -> None:
        """End it at once, wherever it is."""
        self._signal(signal.SIGKILL)
        self.wait()

    def ended_with(self, kind: type[BaseException]) -> bool:
        """Tell whether an error of this class, or of one below it, ended it."""
        if self._status in (None, 0) or not self._result.exists():
            return False
        return kind.__name__ in json.loads(self._result.read_text())["classes"]

    def _signal(self, number: signal.Signals) -> None:
        if self._status is None:
            signal.pidfd_send_signal(self._handle, number)

    def _collect(self, status: int) -> None:
        self._status = os.waitstatus_to_exitcode(status)
        os.close(self._handle)

    @property
    def was_ended_early(self) -> bool:
        """Tell whether SIGINT or SIGTERM ended it before or after its work."""
        return self._status is not None and -self._status in _ASKING

    @property
    def was_killed(self) -> bool:
        """Tell whether SIGKILL ended it."""
        return self._status == -signal.SIGKILL

    @property
    def succeeded(self) -> bool:
        """Tell whether it did its work."""
        return self._status == 0

    @property
    def value(self) -> Any:
        """Return what its work returned."""
        if not self.succeeded:
            raise RuntimeError(f"a child failed: {self.error}")
        return json.loads(self._result.read_text())["value"]

    @property
    def error(self) -> str:
        """Return ``Class: message`` of the error that ended it, or how it ended."""
        if self.succeeded or not self._result.exists():
            return f"exit status {self._status}"
        return str(json.loads(self._result.read_text())["error"])


def die_with_parent() -> None:
    """Have the kernel kill this process when its parent ends, so that none stays behind paused."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _do(work: Callable[[], Any], result: Path) -> int:
    draft = result.with_suffix(".draft")
    document: dict[str, Any]
    try:
        try:
            document, status = {"value": work()}, 0
        finally:
            # A signal from here on comes too late: it must not unwind what the parent was doing.
            signal.pthread_sigmask(signal.SIG_BLOCK, _ASKING)
    except ActiveSynthError as error:
        document, status = _described(error), 1
    except BaseException as error:
        import traceback

        lines = "".join(traceback.format_exception(error))
        document, status = _described(error, lines), 2
    draft.write_text(json.dumps(document))
    draft.replace(result)
    return status


def _described(error: BaseException, more: str = "") -> dict[str, Any]:
    classes = [kind.__name__ for kind in type(error).__mro__]
    return {"error": f"{classes[0]}: {error} {more}".strip(), "classes": classes}


def _within(seconds: float, work: Callable[[], Any]) -> Any:
    """Return what ``work`` returns, or raise TimeoutError; for system calls that may block."""

    def expire(number: int, frame: object) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, expire)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        return work()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def in_child(work: Callable[[], Any], result: Path) -> Any:
    """Do ``work`` in a child and return its value.

    Raises:
        RuntimeError: If it failed, with its error.
    """
    child = Child(work, result)
    child.wait()
    return child.value


def warm(modules: list[str]) -> None:
    """Import, and only import, what children need, so that each fork finds it loaded."""
    for name in modules:
        if name.split(".")[0] in _WARM and name not in sys.modules:
            with contextlib.suppress(ImportError):
                importlib.import_module(name)
