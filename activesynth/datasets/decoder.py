"""The program that decodes data from outside, in a process of its own that can hurt nobody.

``python -m activesynth.datasets.decoder`` reads a request from stdin, gives up what it does not
need, and writes arrays and an answer to the files it was handed. The module ``sandbox`` starts it
and judges what it wrote.
"""

from __future__ import annotations

import ctypes
import errno
import json
import os
import resource
import signal
import sys
from collections.abc import Mapping
from importlib import import_module
from typing import Any

import numpy as np

from activesynth.datasets.rows import Rows, to_arrays
from activesynth.domain.spool import write_rows_of
from activesynth.errors import InputError

WORKING_BYTES = 1000
_PR_SET_PDEATHSIG = 1
_ANSWERS = {errno.EFBIG: "decoder_memory", errno.ENOSPC: "no_spool", errno.EDQUOT: "no_spool"}
"""Of what was decoded there was more than is allowed, or than fits where temporary files lie."""


def main() -> int:
    """Answer one request; the exit code is 0 wherever there is an answer."""
    request = json.loads(sys.stdin.buffer.read())
    _end_with(request["parent"])
    module, _, function = str(request["reader"]).partition(":")
    reader = getattr(import_module(module), function)
    parameters_module, _, parameters_class = str(request["parameters_model"]).partition(":")
    model = getattr(import_module(parameters_module), parameters_class)
    parameters = model.model_validate(request["parameters"])
    _confine(request["limits"])
    answer: dict[str, Any] = {}
    try:
        found = reader(parameters, _Working(request["working"]))
        arrays = to_arrays(found) if isinstance(found, Rows) else found
        with os.fdopen(request["arrays"], "wb", closefd=False) as file:
            np.savez(file, **arrays)
        if isinstance(found, Rows):
            with os.fdopen(request["inputs"], "wb", closefd=False) as file:
                write_rows_of(file, found.x)
    except InputError as error:
        answer = {"reason": error.reason, "field": error.field, "message": str(error)}
    except MemoryError:
        answer = {"reason": "decoder_memory"}
    except OSError as error:
        if error.errno not in _ANSWERS:
            raise
        answer = {"reason": _ANSWERS[error.errno]}
    answer["peak_mb"] = _peak_mb()
    with os.fdopen(request["answer"], "w", closefd=False) as file:
        json.dump(answer, file)
    return 0


class _Working:
    """Notes which item is being decoded, where the parent can still read it after a crash."""

    def __init__(self, descriptor: int) -> None:
        """Write to an open file."""
        self._descriptor = descriptor

    def __call__(self, name: str) -> None:
        """Note one."""
        text = name.encode("utf-8", "backslashreplace")[:WORKING_BYTES]
        os.pwrite(self._descriptor, text.ljust(WORKING_BYTES), 0)


def _end_with(parent: int) -> None:
    """Have the kernel end this process when the one that waits for it is killed."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        sys.exit(1)


def _confine(limits: Mapping[str, int]) -> None:
    """Give up what decoding does not need; libraries are loaded by now and not counted."""
    loaded = _address_space()
    for kind, limit in (
        (resource.RLIMIT_AS, loaded + limits["memory"]),
        (resource.RLIMIT_CPU, limits["seconds"]),
        (resource.RLIMIT_FSIZE, limits["file"]),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(kind, (limit, limit))


def _address_space() -> int:
    with open("/proc/self/statm") as file:  # noqa: PTH123 - one read of a kernel file
        return int(file.read().split()[0]) * resource.getpagesize()


def _peak_mb() -> int:
    """Return the most memory this program held; ``ru_maxrss`` would count its parent's, too."""
    with open("/proc/self/status") as file:  # noqa: PTH123 - one read of a kernel file
        sizes = dict(line.split(":", 1) for line in file)
    return int(sizes["VmHWM"].split()[0]) // 1024


if __name__ == "__main__":
    sys.exit(main())
