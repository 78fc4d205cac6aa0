"""Folders that appear complete or not at all, and names that are safe in them."""

from __future__ import annotations

import re
import secrets
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from activesynth.errors import InputError

_UNSAFE = re.compile(r"[^\w .-]+", re.ASCII)
_RESERVED = {"", "con", "prn", "aux", "nul"}


@contextmanager
def appearing(folder: Path) -> Iterator[Path]:
    """Yield an empty folder that becomes ``folder`` when the block ends well.

    Raises:
        InputError: ``not_empty`` if something is there already.
    """
    if folder.is_symlink() or (folder.exists() and (not folder.is_dir() or any(folder.iterdir()))):
        raise InputError(
            f"the target {str(folder)!r} is there and is no empty folder; nothing was "
            "overwritten, name a new one.",
            reason="not_empty",
        )
    folder.parent.mkdir(parents=True, exist_ok=True)
    partial = folder.with_name(f".{folder.name}.{secrets.token_hex(8)}.partial")
    partial.mkdir()
    try:
        yield partial
        partial.rename(folder)  # succeeds onto an empty folder, and onto nothing else
    except OSError as error:
        raise InputError(
            f"the target {str(folder)!r} could not be written: {error}; check its rights and the "
            "free space, or name another one.",
            reason="not_writable",
        ) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def safe_names(names: Sequence[str], reserved: Sequence[str] = ()) -> list[str]:
    """Return folder names for class names: no separators, no clash even where case is ignored."""
    taken = {name.lower() for name in reserved}
    result = []
    for number, name in enumerate(names):
        safe = _UNSAFE.sub("_", name).strip(" .")[:80]
        if safe.lower() in _RESERVED | taken:
            safe = f"{safe or 'class'}_{number}"
        while safe.lower() in taken:
            safe += "_"
        taken.add(safe.lower())
        result.append(safe)
    return result
