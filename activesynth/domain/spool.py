"""Files without a name for what is too large for memory; nothing of them outlives the process."""

from __future__ import annotations

import errno
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

from activesynth.errors import PlatformStateError

IN_MEMORY = 1 << 20
"""Bytes up to which there is no file."""
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def spool() -> IO[bytes]:
    """Return an empty file to write and read, which is gone when it is closed."""
    return tempfile.SpooledTemporaryFile(IN_MEMORY)


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
        raise PlatformStateError(
            f"there is no room for temporary files in {tempfile.gettempdir()}: {error.strerror}; "
            "make room there, or set TMPDIR to a folder that has some.",
            reason="no_spool",
        ) from error
