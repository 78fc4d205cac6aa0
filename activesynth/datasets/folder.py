"""A folder of class folders with PNG and JPEG pictures."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path

import numpy as np

from activesynth.datasets.assembly import assemble
from activesynth.datasets.locations import located_folder
from activesynth.datasets.parameters import FolderParameters
from activesynth.datasets.pictures import PictureCollector
from activesynth.domain.canonical import Array
from activesynth.domain.exchange import SourceData
from activesynth.domain.samples import UNLABELLED
from activesynth.errors import InputError

SUFFIXES = {".png", ".jpg", ".jpeg"}


class FolderSource:
    """Reads ``<path>/<class>/**/*.png``; the class folders in alphabetical order are the labels."""

    def __init__(self, parameters: FolderParameters) -> None:
        """Remember what to read."""
        self._parameters = parameters

    def read(self) -> SourceData:
        """Return all pictures.

        Raises:
            InputError: ``missing_path``, ``not_a_folder``, ``unreadable``, ``empty``,
                ``too_large``, ``bad_group``, or ``bad_picture`` naming each bad picture.
        """
        root, pictures = _listed(self._parameters.path)
        classes = [name for name in pictures if name != self._parameters.unlabelled]
        collector = PictureCollector(self._parameters)
        files: list[Path] = []
        labels: list[int] = []
        for name, found in pictures.items():
            label = classes.index(name) if name in classes else UNLABELLED
            for file in found:
                collector.add(file.relative_to(root).as_posix(), file)
                files.append(file)
                labels.append(label)
        x = collector.stacked()
        return assemble(x, np.array(labels, np.int64), classes, groups=self._groups(files))

    def _groups(self, files: list[Path]) -> Array | None:
        if self._parameters.group_pattern is None:
            return None
        pattern = re.compile(self._parameters.group_pattern)
        matches = [pattern.search(file.name) for file in files]
        unmatched = [file.name for file, match in zip(files, matches, strict=True) if not match]
        if unmatched:
            raise InputError(
                f"`source.parameters.group_pattern`: {pattern.pattern!r} matches no group in "
                f"{len(unmatched)} file names, the first is {unmatched[0]!r}; widen the pattern.",
                reason="bad_group",
            )
        return np.array([match.group(1) or "" for match in matches if match])


def _listed(path: Path) -> tuple[Path, dict[str, list[Path]]]:
    """Return the folder and the pictures of each class folder, in alphabetical order.

    What cannot be listed is refused: left out, its class would silently be missing.
    """
    try:
        root = located_folder(path)
        entries = sorted(entry for entry in root.iterdir() if not entry.name.startswith("."))
        return root, {entry.name: _pictures_in(entry) for entry in entries if _is_folder(entry)}
    except OSError as error:
        raise InputError(
            f"`source.parameters.path`: {error.filename!r} cannot be read: {error.strerror}; let "
            "the user that runs this read it, or remove it.",
            reason="unreadable",
        ) from error


def _is_folder(entry: Path) -> bool:
    """Tell folders from files; a link that leads nowhere is an OSError, not neither of them."""
    return stat.S_ISDIR(entry.stat().st_mode)


def _pictures_in(folder: Path) -> list[Path]:
    # rglob() passes over folders that it may not list.
    return sorted(
        Path(parent, name)
        for parent, _, names in os.walk(folder, onerror=_raise)
        for name in names
        if Path(name).suffix.lower() in SUFFIXES
    )


def _raise(error: OSError) -> None:
    raise error
