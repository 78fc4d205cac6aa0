"""Files without a name for what is too large for memory; nothing of them outlives the process."""

from __future__ import annotations

import errno
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from math import prod
from typing import IO, Any

import numpy as np

from activesynth.domain.canonical import Array
from activesynth.errors import PlatformStateError

IN_MEMORY = 1 << 20
"""Bytes up to which there is no file; more are written that many at a time."""
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def spool() -> IO[bytes]:
    """Return an empty file to write and read, which is gone when it is closed."""
    return tempfile.SpooledTemporaryFile(IN_MEMORY)


def uninterrupted(file: IO[bytes]) -> IO[bytes]:
    """Return what is behind a spool, in memory or not: to read it runs nothing of Python's.

    So no handler of a signal runs inside of a reading, whose caller in C might take what the
    handler raises for an error of its own.
    """
    behind: IO[bytes] = getattr(file, "_file", file)
    return behind


@contextmanager
def room_for_spools() -> Iterator[None]:
    """Say what to do where there is no room for temporary files.

    Raises:
        PlatformStateError: ``no_spool``.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in _FULL:
            raise
        raise no_room(str(error.strerror)) from error


def no_room(told: str) -> PlatformStateError:
    """Return what to say where temporary files do not fit; ``told`` is the system's word."""
    return PlatformStateError(
        f"there is no room for temporary files in {tempfile.gettempdir()}: {told}; make room "
        "there, or set TMPDIR to a folder that has some.",
        reason="no_spool",
    )


def mapped(file: IO[bytes], shape: tuple[int, ...], kind: np.dtype[Any], start: int = 0) -> Array:
    """Return an array that stays in a file, whose pages the kernel reads and drops as it likes.

    The file may be closed afterwards.
    """
    if not prod(shape):
        return np.zeros(shape, kind)
    return np.asarray(np.memmap(file, kind, "r", start, shape))


def gathered(x: Array, rows: Array) -> Array:
    """Return ``x[rows]``, in a file without a name where it is large.

    Raises:
        PlatformStateError: ``no_spool``.
    """
    row_bytes = max(1, x.nbytes // max(1, len(x)))
    if row_bytes * len(rows) <= IN_MEMORY:
        return x[rows]
    with room_for_spools(), tempfile.TemporaryFile() as file:
        write_rows_of(file, x, rows)
        return mapped(file, (len(rows), *x.shape[1:]), x.dtype)


def write_rows_of(file: IO[bytes], x: Array, rows: Array | None = None) -> None:
    """Write some rows of an array, or all, to a file: their bare numbers, a few rows at a time."""
    count = len(x) if rows is None else len(rows)
    step = max(1, IN_MEMORY // max(1, x.nbytes // max(1, len(x))))
    for start in range(0, count, step):
        part = slice(start, start + step)
        file.write(x[part if rows is None else rows[part]].tobytes())
    file.flush()
