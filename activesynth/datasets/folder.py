"""Reads a folder of class folders with PNG and JPEG pictures."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from activesynth.datasets.labels import as_texts, check_names
from activesynth.datasets.parameters import FolderParameters
from activesynth.datasets.pictures import PictureCollector
from activesynth.datasets.refusals import ItemError, Refusals, printable
from activesynth.datasets.rows import Rows, Working, kept_rows
from activesynth.domain.samples import UNLABELLED
from activesynth.errors import InputError

SUFFIXES = {".png", ".jpg", ".jpeg"}


def read(parameters: FolderParameters, working: Working) -> Rows:
    """Return all pictures of ``<path>/<class>/**/*.png``.

    The class folders in alphabetical order are the labels.

    Raises:
        InputError: ``unreadable``, ``empty``, ``too_large``, ``too_many_rows``,
            ``bad_class_name``, ``too_many_classes`` or ``too_many_refused``.
    """
    refusals = Refusals(parameters)
    pictures = _listed(parameters.path, refusals)
    classes = [name for name in pictures if name != parameters.unlabelled]
    check_names(classes)
    collector = PictureCollector(parameters, refusals, working)
    knowledge = _Knowledge(parameters)
    for name, found in pictures.items():
        label = classes.index(name) if name in classes else UNLABELLED
        for file in found:
            place = file.relative_to(parameters.path).as_posix()
            try:
                facts = (label, *knowledge.of(file.name, place))
                _refuse_unless_file(file)
            except ItemError as error:
                refusals.add(place, error)
                continue
            collector.add(place, file, facts)
    x, names, facts_of = collector.stacked()
    rows = Rows(
        x,
        np.array([facts[0] for facts in facts_of], np.int64),
        tuple(classes),
        as_texts([facts[1] for facts in facts_of]) if parameters.group_pattern else None,
        {
            name: as_texts([facts[2].get(name) for facts in facts_of])
            for name in knowledge.attributes
        },
    )
    return kept_rows(rows, names, {}, refusals)


class _Knowledge:
    """What the name of a picture says about it."""

    def __init__(self, parameters: FolderParameters) -> None:
        """Compile the patterns."""
        self._group = re.compile(parameters.group_pattern or "")
        self._has_group = parameters.group_pattern is not None
        self._attributes = re.compile(parameters.attributes or "")
        self.attributes = list(self._attributes.groupindex)

    def of(self, name: str, place: str) -> tuple[str, dict[str, str | None]]:
        """Return the group and the attributes of a picture.

        Raises:
            ItemError: ``bad_group`` if the pattern finds no group in the name.
        """
        group = ""
        if self._has_group:
            match = self._group.search(name)
            group = (match.group(1) or "") if match else ""
            if not group:
                raise ItemError(
                    "bad_group", f"`group_pattern` {self._group.pattern!r} matches no group"
                )
        match = self._attributes.search(place)
        return group, match.groupdict() if match else {}


def _refuse_unless_file(file: Path) -> None:
    """Refuse what cannot be read as a file, before opening it could wait for ever."""
    try:
        if not stat.S_ISREG(file.stat().st_mode):
            raise ItemError("not_a_file", "it is no ordinary file")
        with file.open("rb"):
            return
    except OSError as error:
        raise ItemError("unreadable_item", f"it cannot be opened: {error.strerror}") from error


def _listed(root: Path, refusals: Refusals) -> dict[str, list[Path]]:
    """Return the pictures of each class folder, in alphabetical order.

    What cannot be listed is refused: left out, its class would silently be missing.
    """
    listed: dict[str, list[Path]] = {}
    count = 0
    try:
        for entry in sorted(entry for entry in root.iterdir() if entry.name[0] != "."):
            if not _is_folder(entry):
                continue
            listed[entry.name] = []
            for picture in _pictures_in(entry):
                count += 1
                refusals.check_rows(count)
                listed[entry.name].append(picture)
            listed[entry.name].sort()
    except OSError as error:
        raise InputError(
            f"`source.parameters.path`: {printable(str(error.filename))!r} cannot be read: "
            f"{error.strerror}; let the user that runs this read it, or remove it.",
            reason="unreadable",
            field="source.parameters.path",
        ) from error
    return listed


def _is_folder(entry: Path) -> bool:
    """Tell folders from files; a link that leads nowhere is an OSError, not neither of them."""
    return stat.S_ISDIR(entry.stat().st_mode)


def _pictures_in(folder: Path) -> Iterator[Path]:
    # rglob() passes over folders that it may not list.
    for parent, _, names in os.walk(folder, onerror=_raise):
        yield from (Path(parent, name) for name in names if Path(name).suffix.lower() in SUFFIXES)


def _raise(error: OSError) -> None:
    raise error
