"""What a reader found in data from outside, before rows are named: plain aligned arrays."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import prod
from typing import IO

import numpy as np

from activesynth.datasets.refusals import ItemError, Refusals
from activesynth.domain.canonical import Array
from activesynth.domain.exchange import Refused
from activesynth.domain.spool import mapped

Working = Callable[[str], None]
"""Told the name of each item before it is decoded, so that a crash can be laid to it."""


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows as read.

    Attributes:
        x: Inputs, shape ``(n, ...)``.
        y: Labels, shape ``(n,)`` int64, ``-1`` where unknown.
        classes: Names by label.
        groups: What no split may separate, shape ``(n,)`` unicode, or None.
        attributes: Further texts about each row by name, shape ``(n,)`` unicode.
        refused: Items that are no rows.
    """

    x: Array
    y: Array
    classes: tuple[str, ...]
    groups: Array | None = None
    attributes: Mapping[str, Array] = field(default_factory=dict)
    refused: tuple[Refused, ...] = ()


def kept_rows(
    rows: Rows, names: list[str] | None, wrong: Mapping[int, ItemError], refusals: Refusals
) -> Rows:
    """Return the rows that nothing is wrong with; the others are refused under their names.

    Args:
        rows: All rows.
        names: The name of each, ``row <position>`` where None.
        wrong: What is wrong, by position.
        refusals: Where refused rows are listed, with those that were never rows.

    Raises:
        InputError: ``too_many_refused``, or ``empty`` where there is no row at all.
    """
    for position, error in sorted(wrong.items()):
        refusals.add(f"row {position}" if names is None else names[position], error)
    refusals.check_share(len(rows.x) - len(wrong))
    keep = np.ones(len(rows.x), bool)
    keep[sorted(wrong)] = False
    whole = bool(keep.all())
    return Rows(
        rows.x if whole else rows.x[keep],
        rows.y[keep],
        rows.classes,
        None if rows.groups is None else rows.groups[keep],
        {name: column[keep] for name, column in rows.attributes.items()},
        tuple(refusals.items),
    )


def to_arrays(rows: Rows) -> dict[str, Array]:
    """Return rows as named arrays of numbers and texts; of the inputs only type and shape."""
    arrays = {f"attribute.{name}": column for name, column in rows.attributes.items()}
    arrays |= {"x": rows.x[:0], "y": rows.y, "classes": np.array(rows.classes, np.str_)}
    if rows.groups is not None:
        arrays["groups"] = rows.groups
    for part in ("name", "reason", "detail"):
        texts = [getattr(item, part) for item in rows.refused]
        arrays[f"refused.{part}"] = np.array(texts, np.str_)
    return arrays


def from_arrays(arrays: Mapping[str, Array], inputs: IO[bytes]) -> Rows:
    """Read what :func:`to_arrays` wrote, and the inputs, which stay in their file.

    Raises:
        KeyError: If an array is missing.
        ValueError: If arrays do not fit together.
    """
    kind, shape = arrays["x"].dtype, (len(arrays["y"]), *arrays["x"].shape[1:])
    size = inputs.seek(0, os.SEEK_END)
    if size != prod(shape) * kind.itemsize:
        raise ValueError(f"inputs of {size} bytes are not {shape} of type {kind}")
    rows = Rows(
        mapped(inputs, shape, kind),
        arrays["y"],
        tuple(arrays["classes"].tolist()),
        arrays.get("groups"),
        {
            name.removeprefix("attribute."): column
            for name, column in arrays.items()
            if name.startswith("attribute.")
        },
        tuple(
            Refused(*texts)
            for texts in zip(
                *(arrays[f"refused.{part}"].tolist() for part in ("name", "reason", "detail")),
                strict=True,
            )
        ),
    )
    columns = [rows.y, *rows.attributes.values()] + ([] if rows.groups is None else [rows.groups])
    if any(column.shape != (len(rows.x),) for column in columns):
        raise ValueError("columns are not aligned with the inputs")
    if (
        rows.y.dtype != np.int64
        or not (rows.y >= -1).all()
        or not (rows.y < len(rows.classes)).all()
    ):
        raise ValueError("labels are no positions of classes")
    return rows
