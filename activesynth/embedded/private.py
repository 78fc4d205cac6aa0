"""Folders and files that only their owner can open, written whole or not at all."""

from __future__ import annotations

import fcntl
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from activesynth.errors import ConflictError, PlatformStateError


def private_folder(path: Path) -> Path:
    """Make ``path`` a folder of mode 0700 and leave the modes of its existing parents alone.

    Raises:
        PlatformStateError: If the path is not a folder of the current user.
    """
    missing = [folder for folder in (path, *path.parents) if not folder.exists()]
    for folder in reversed(missing):
        folder.mkdir(mode=0o700, exist_ok=True)
    if not path.is_dir():
        raise PlatformStateError(
            f"{path} is in the way: it is not a folder; move it and try again."
        )
    owner = path.stat().st_uid
    if owner != os.geteuid():
        raise PlatformStateError(
            f"{path} belongs to user id {owner} and you are {os.geteuid()}; run this as its owner, "
            "or set ACTIVESYNTH_HOME to a folder of your own."
        )
    path.chmod(0o700)
    return path


def write_private(path: Path, text: str) -> None:
    """Replace ``path`` by a file of mode 0600: readers see the old text or the new, never half."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


@contextmanager
def exclusive(path: Path, *, seconds: float = 180.0) -> Iterator[None]:
    """Hold the lock file at ``path``; the kernel drops the lock with the process that holds it.

    Raises:
        ConflictError: If somebody else still holds it after ``seconds``.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        deadline = time.monotonic() + seconds
        while not _try_lock(descriptor):
            if time.monotonic() > deadline:
                raise ConflictError(
                    f"another command has worked on this platform for {seconds:.0f} s "
                    f"(it holds {path}); wait for it or end it, then try again."
                )
            time.sleep(0.1)
        yield
    finally:
        os.close(descriptor)


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
