"""A folder of class folders with PNG and JPEG pictures."""

from __future__ import annotations

import re
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
            InputError: ``missing_path``, ``not_a_folder``, ``empty``, ``too_large``,
                ``bad_group``, or ``bad_picture`` naming each bad picture.
        """
        root = located_folder(self._parameters.path)
        folders = sorted(
            entry for entry in root.iterdir() if entry.is_dir() and not entry.name.startswith(".")
        )
        classes = [entry.name for entry in folders if entry.name != self._parameters.unlabelled]
        collector = PictureCollector(self._parameters)
        files: list[Path] = []
        labels: list[int] = []
        for folder in folders:
            label = classes.index(folder.name) if folder.name in classes else UNLABELLED
            for file in _pictures_in(folder):
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


def _pictures_in(folder: Path) -> list[Path]:
    return sorted(file for file in folder.rglob("*") if file.suffix.lower() in SUFFIXES)
