"""Finding what a campaign's path points to."""

from __future__ import annotations

from pathlib import Path

from activesynth.config.settings import Settings
from activesynth.errors import InputError


def located(path: Path) -> Path:
    """Return where ``path`` leads if something is there; a relative one starts at the data folder.

    Raises:
        InputError: ``missing_path``, naming the field, the value and the way out.
    """
    root = Settings.read().data
    found = root / path
    if not found.exists():
        where = "" if path.is_absolute() else f", looked for in {root.absolute()}"
        raise InputError(
            f"`source.parameters.path`: there is nothing at {str(path)!r}{where}; put the data "
            "there, write the right path into the campaign file, or name the folder that relative "
            "paths start at in ACTIVESYNTH_DATA (the working directory unless set).",
            reason="missing_path",
        )
    return found


def located_folder(path: Path) -> Path:
    """Return ``path`` if it is a folder.

    Raises:
        InputError: ``missing_path`` or ``not_a_folder``.
    """
    found = located(path)
    if not found.is_dir():
        raise InputError(
            f"`source.parameters.path`: {str(path)!r} is a file, but this source reads a folder "
            "with one folder per class; name the folder, or choose another source.",
            reason="not_a_folder",
        )
    return found


def located_file(path: Path) -> Path:
    """Return ``path`` if it is a file.

    Raises:
        InputError: ``missing_path`` or ``not_a_file``.
    """
    found = located(path)
    if not found.is_file():
        raise InputError(
            f"`source.parameters.path`: {str(path)!r} is a folder, but this source reads one "
            "file; name the file, or choose another source.",
            reason="not_a_file",
        )
    return found


def over_budget(what: str, size: int, limit: int) -> InputError:
    """Return the error for data that would decode to more than ``limit`` bytes."""
    return InputError(
        f"`source.parameters.max_bytes`: {what} decodes to {size} bytes or more, the limit is "
        f"{limit}; raise the limit if the data is trusted and fits into memory, or read less.",
        reason="too_large",
    )
