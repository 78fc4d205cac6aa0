"""Finding what a campaign's path points to."""

from __future__ import annotations

from pathlib import Path

from activesynth.config.settings import Settings
from activesynth.errors import InputError

FIELD = "source.parameters.path"


def located_path(path: Path, field: str = FIELD) -> Path:
    """Return where ``path`` leads if something is there; a relative one starts at the data folder.

    ``field`` is what messages call it.

    Raises:
        InputError: ``missing_path`` or ``unreadable``, naming the field, the value and the way out.
    """
    root = Settings.read().data
    found = root / path
    try:
        is_there = found.exists()
    except OSError as error:
        raise InputError(
            f"`{field}`: {str(path)[:200]!r} cannot be looked at: {error.strerror}; let the user "
            "that runs this reach it, or write the right path into the campaign file.",
            reason="unreadable",
            field=field,
        ) from error
    if not is_there:
        where = "" if path.is_absolute() else f", looked for in {root.absolute()}"
        raise InputError(
            f"`{field}`: there is nothing at {str(path)!r}{where}; put the data "
            "there, write the right path into the campaign file, or name the folder that relative "
            "paths start at in ACTIVESYNTH_DATA (the working directory unless set).",
            reason="missing_path",
            field=field,
        )
    return found


def located_folder(path: Path) -> Path:
    """Return ``path`` if it is a folder.

    Raises:
        InputError: ``missing_path`` or ``not_a_folder``.
    """
    found = located_path(path)
    if not found.is_dir():
        raise InputError(
            f"`source.parameters.path`: {str(path)!r} is no folder, but this source reads one "
            "with a folder per class; name the folder, or choose another source.",
            reason="not_a_folder",
            field=FIELD,
        )
    return found


def located_file(path: Path, field: str = FIELD) -> Path:
    """Return ``path`` if it is a file; ``field`` is what messages call it.

    Raises:
        InputError: ``missing_path`` or ``not_a_file``.
    """
    found = located_path(path, field)
    if not found.is_file():
        raise InputError(
            f"`{field}`: {str(path)!r} is a folder or a device, but this source "
            "reads one ordinary file; name the file, or choose another source.",
            reason="not_a_file",
            field=field,
        )
    return found
