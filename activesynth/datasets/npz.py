"""Arrays in an npz archive, checked by their headers before anything is decoded."""

from __future__ import annotations

import zipfile
import zlib
from math import prod
from typing import Any

import numpy as np

from activesynth.datasets.assembly import as_inputs, assemble, encode_labels
from activesynth.datasets.locations import located_file, over_budget
from activesynth.datasets.parameters import NpzParameters
from activesynth.domain.canonical import Array
from activesynth.domain.exchange import SourceData
from activesynth.domain.samples import UNLABELLED
from activesynth.errors import InputError

USUAL_NAMES = (("x_train", "y_train"), ("x", "y"), ("X", "y"), ("train_images", "train_labels"))


class NpzSource:
    """Reads inputs, labels, and optionally groups and class names; never a pickle."""

    def __init__(self, parameters: NpzParameters) -> None:
        """Remember what to read."""
        self._parameters = parameters

    def read(self) -> SourceData:
        """Return the rows of the archive.

        Raises:
            InputError: ``missing_path``, ``unreadable``, ``missing_array``, ``pickled``,
                ``too_large``, ``bad_values``, ``bad_label`` or ``shape``.
        """
        path = located_file(self._parameters.path)
        try:
            with zipfile.ZipFile(path) as archive:
                arrays = self._arrays(archive)
        except (zipfile.BadZipFile, zlib.error, ValueError, OSError, RuntimeError) as error:
            raise InputError(
                f"`source.parameters.path`: {str(path)!r} is no readable npz archive: {error}",
                reason="unreadable",
            ) from error
        return _assembled(arrays)

    def _arrays(self, archive: zipfile.ZipFile) -> dict[str, Array]:
        entries = {
            info.filename.removesuffix(".npy"): info
            for info in archive.infolist()
            if info.filename.endswith(".npy")
        }
        names = self._names(set(entries))
        total = 0
        for name in names.values():
            total += _decoded_size(archive, entries[name])
            if total > self._parameters.max_bytes:
                raise over_budget(f"array {name!r}", total, self._parameters.max_bytes)
        return {role: _decode(archive, entries[name]) for role, name in names.items()}

    def _names(self, there: set[str]) -> dict[str, str]:
        """Say which array plays which role."""
        given = self._parameters
        x, y = given.x, given.y
        if x is None:
            guesses = [pair for pair in USUAL_NAMES if pair[0] in there]
            x, guessed = guesses[0] if guesses else (USUAL_NAMES[0][0], "")
            y = y or (guessed if guessed in there else None)
        names = {"x": x}
        for role, name in (("y", y), ("groups", given.groups), ("classes", given.classes)):
            if name is not None:
                names[role] = name
            elif role != "y" and role in there:
                names[role] = role
        missing = sorted(set(names.values()) - there)
        if missing:
            raise InputError(
                f"`source.parameters`: the archive has no array {missing[0]!r}; it has "
                f"{sorted(there)[:20]}; name the right ones as `x` and `y`.",
                reason="missing_array",
            )
        return names


def _header(stream: Any) -> tuple[tuple[int, ...], np.dtype[Any]]:
    version = np.lib.format.read_magic(stream)
    if version == (1, 0):
        shape, _, dtype = np.lib.format.read_array_header_1_0(stream)
    elif version == (2, 0):
        shape, _, dtype = np.lib.format.read_array_header_2_0(stream)
    else:
        raise ValueError(f"array format {version} is not supported")
    return shape, dtype


def _decoded_size(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> int:
    """Return the bytes an array will take, from its header alone."""
    with archive.open(entry) as stream:
        shape, dtype = _header(stream)
    if dtype.hasobject:
        raise InputError(
            f"array {entry.filename!r} holds pickled objects, which can run code when read; save "
            "it again as numbers or texts.",
            reason="pickled",
        )
    size = prod(shape) * dtype.itemsize
    if not 0 <= size <= entry.file_size:
        raise ValueError(f"{entry.filename!r} claims {size} bytes but holds {entry.file_size}")
    return size


def _decode(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> Array:
    with archive.open(entry) as stream:
        array: Array = np.lib.format.read_array(stream, allow_pickle=False)
    return array


def _assembled(arrays: dict[str, Array]) -> SourceData:
    x = as_inputs(arrays["x"])
    values = arrays["y"] if "y" in arrays else np.full(len(x), UNLABELLED)
    groups = arrays.get("groups")
    for name, array in (("labels", values), ("groups", groups)):
        if array is not None and array.size != len(x):
            raise InputError(
                f"the archive has {len(x)} inputs but {array.size} {name}; they must align.",
                reason="shape",
            )
    names = arrays["classes"].ravel().astype(str).tolist() if "classes" in arrays else None
    y, classes = encode_labels(values.ravel().tolist(), names)
    return assemble(x, y, classes, groups=None if groups is None else groups.ravel())
