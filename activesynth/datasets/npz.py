"""Reads an npz archive: inputs, labels, and optionally groups, class names and attributes.

Groups and attributes may stand in a table beside it.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from activesynth.datasets.arrays import archive_at, entries_of, read_arrays
from activesynth.datasets.labels import as_texts, encode_labels
from activesynth.datasets.parameters import NpzParameters
from activesynth.datasets.refusals import ItemError, Refusals
from activesynth.datasets.rows import Rows, Working, kept_rows
from activesynth.datasets.table import read_table
from activesynth.datasets.values import as_inputs, bad_rows, in_common_type
from activesynth.domain.canonical import Array
from activesynth.domain.samples import UNLABELLED
from activesynth.errors import InputError, ShapeError

USUAL_NAMES = (("x_train", "y_train"), ("x", "y"), ("X", "y"), ("train_images", "train_labels"))
PARAMETERS = "source.parameters"


def read(parameters: NpzParameters, working: Working) -> Rows:
    """Return the rows of the archive.

    Raises:
        InputError: ``unreadable``, ``bad_checksum``, ``encrypted``, ``unsupported``,
            ``lying_header``, ``ambiguous``, ``missing_array``, ``pickled``, ``too_large``,
            ``too_many_rows``, ``bad_type``, ``bad_class_name``, ``too_many_classes``, ``shape``,
            ``empty`` or ``too_many_refused``.
    """
    refusals = Refusals(parameters)
    working(parameters.path.name)
    beside = {}
    if parameters.table is not None:
        beside = read_table(parameters.table, parameters.max_bytes)
    with archive_at(parameters.path.name, str(parameters.path)) as archive:
        entries = entries_of(archive)
        roles = _roles(parameters, set(entries), set(beside))
        inside = {role: name for role, name in roles.items() if name in entries}
        arrays = _arrays(archive, entries, inside, parameters, refusals)
    arrays |= {role: beside[name] for role, name in roles.items() if role not in inside}
    return _rows(_in_range(arrays, parameters), parameters, refusals)


def _roles(given: NpzParameters, there: set[str], beside: set[str]) -> dict[str, str]:
    """Say which array plays which role; ``beside`` are the columns of the table."""
    x, y = given.x, given.y
    if x is None:
        guesses = [pair for pair in USUAL_NAMES if pair[0] in there]
        x, guessed = guesses[0] if guesses else (USUAL_NAMES[0][0], "")
        y = y or (guessed if guessed in there else None)
    roles = {"x": x}
    for role, name in (("y", y), ("groups", given.groups), ("classes", given.classes)):
        if name is not None:
            roles[role] = name
        elif role != "y" and role in there:
            roles[role] = role
    roles.update({f"attribute.{name}": name for name in given.attributes})
    for role, name in roles.items():
        is_about_rows = role == "groups" or role.startswith("attribute.")
        if name not in there and not (is_about_rows and name in beside):
            field = f"{PARAMETERS}.{'attributes' if role.startswith('attribute.') else role}"
            table = f", the table {sorted(beside)[:20]}" if beside else ""
            raise InputError(
                f"`{field}`: the archive has no array {name!r}; it has {sorted(there)[:20]}{table}"
                "; name the right one.",
                reason="missing_array",
                field=field,
            )
    return roles


def _arrays(
    archive: zipfile.ZipFile,
    entries: dict[str, zipfile.ZipInfo],
    roles: dict[str, str],
    parameters: NpzParameters,
    refusals: Refusals,
) -> dict[str, Array]:
    def check(name: str, shape: tuple[int, ...]) -> None:
        if name != roles["x"]:
            refusals.check_rows(int(np.prod(shape, dtype=object)))
        elif shape:
            refusals.check_rows(shape[0])

    found = read_arrays(archive, entries, roles.values(), parameters.max_bytes, check)
    return {role: found[name] for role, name in roles.items()}


def _in_range(arrays: dict[str, Array], parameters: NpzParameters) -> dict[str, Array]:
    """Cut every array but the class names to the rows that were asked for.

    Raises:
        InputError: ``empty`` if the archive ends before the first of them.
    """
    if parameters.rows is None:
        return arrays
    start, stop = parameters.rows
    there = len(arrays["x"]) if arrays["x"].ndim else 0
    if start >= there:
        raise InputError(
            f"`{PARAMETERS}.rows`: starts at row {start}, but the archive has {there} rows; start "
            "earlier.",
            reason="empty",
            field=f"{PARAMETERS}.rows",
        )
    cut = dict(arrays)
    for role, array in arrays.items():
        # An array that does not align is refused later, whole, with both lengths named.
        if role != "classes" and len(array) == there:
            cut[role] = array[start:stop]
    return cut


def _rows(arrays: dict[str, Array], parameters: NpzParameters, refusals: Refusals) -> Rows:
    x = as_inputs(arrays["x"])
    wrong = bad_rows(x)
    for role, array in arrays.items():
        if role not in ("x", "classes") and array.size != len(x):
            field = f"{PARAMETERS}.{'attributes' if role.startswith('attribute.') else role}"
            raise ShapeError(
                f"`{field}`: the archive has {len(x)} inputs but {array.size} values of "
                f"{role.removeprefix('attribute.')!r}; they must align.",
                field=field,
            )
    values: Iterable[object] = [UNLABELLED] * len(x)
    if "y" in arrays:
        values = arrays["y"].ravel().tolist()
    names = arrays["classes"].ravel().astype(str).tolist() if "classes" in arrays else None
    y, classes, wrong_labels = encode_labels(list(values), names)
    groups = None
    if "groups" in arrays:
        groups = as_texts(arrays["groups"].ravel().tolist())
        for position in np.flatnonzero(groups == "").tolist():
            wrong.setdefault(position, ItemError("bad_group", "the group is empty"))
    attributes = {
        name: as_texts(arrays[f"attribute.{name}"].ravel().tolist())
        for name in parameters.attributes
    }
    rows = Rows(x, y, classes, groups, attributes)
    kept = kept_rows(rows, None, {**wrong_labels, **wrong}, refusals)
    return replace(kept, x=in_common_type(kept.x))
