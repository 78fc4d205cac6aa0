"""Folders for the sockets of Postgres: short, private, and made anew where they are gone."""

from __future__ import annotations

import os
import stat
import tempfile
from contextlib import suppress
from pathlib import Path

from activesynth.errors import PlatformStateError

PORT = 5432
"""Only names the socket file: nothing listens on TCP."""

_SOCKET_PATH_LIMIT = 107


def socket_folder(preferred: Path | None) -> Path:
    """Return a folder of ours whose socket path fits into the kernel's 107 bytes.

    Args:
        preferred: An earlier folder, used again if it still exists and is closed to others.

    Raises:
        PlatformStateError: If no temporary folder is short enough.
    """
    if preferred is not None and _is_private(preferred):
        _empty_sockets(preferred)
        return preferred
    for parent in (tempfile.gettempdir(), "/tmp", "/var/tmp"):  # noqa: S108 - mkdtemp is private
        longest = f"{parent}/as-12345678/.s.PGSQL.{PORT}.lock"
        if len(os.fsencode(longest)) <= _SOCKET_PATH_LIMIT and os.access(parent, os.W_OK):
            return Path(tempfile.mkdtemp(prefix="as-", dir=parent))
    raise PlatformStateError(
        "no temporary folder is writable and short enough for a socket "
        f"({_SOCKET_PATH_LIMIT} bytes); set TMPDIR to a short path."
    )


def remove_sockets(folder: Path) -> None:
    """Remove a socket folder of ours; anything else in its place stays."""
    if _is_private(folder):
        _empty_sockets(folder)
        with suppress(OSError):
            folder.rmdir()


def _empty_sockets(folder: Path) -> None:
    for remains in folder.glob(".s.PGSQL.*"):
        remains.unlink(missing_ok=True)


def _is_private(folder: Path) -> bool:
    try:
        found = folder.lstat()
    except OSError:
        return False
    is_closed = stat.S_ISDIR(found.st_mode) and stat.S_IMODE(found.st_mode) == 0o700
    return is_closed and found.st_uid == os.geteuid()
