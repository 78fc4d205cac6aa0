"""Numbers from outside, brought to the common types; what no row can hold is found row by row."""

from __future__ import annotations

import numpy as np

from activesynth.datasets.refusals import ItemError
from activesynth.domain.canonical import Array
from activesynth.errors import InputError

CHUNK = 4096
"""Rows that are looked at together, so that looking takes little memory."""


def as_inputs(x: Array) -> Array:
    """Return an array that can hold inputs, not yet looked into.

    Three and four axes of whole numbers are pictures; three axes get a channel.

    Raises:
        InputError: ``bad_type`` for a type or shape that inputs cannot have.
    """
    if x.dtype.kind not in "buif" or x.ndim < 2 or not all(x.shape[1:]):
        raise InputError(
            f"`source.parameters.x`: the input array has type {x.dtype} and shape {x.shape}; it "
            "must hold numbers, one row per sample.",
            reason="bad_type",
            field="source.parameters.x",
        )
    return x[..., np.newaxis] if is_picture(x) and x.ndim == 3 else x


def is_picture(x: Array) -> bool:
    """Tell whether an array of inputs holds pictures: whole numbers over three axes or more."""
    return x.dtype.kind != "f" and x.ndim > 2


def bad_rows(x: Array) -> dict[int, ItemError]:
    """Say which rows hold values that no picture or table can have."""
    wrong: dict[int, ItemError] = {}
    for start in range(0, len(x), CHUNK):
        flat = x[start : start + CHUNK].reshape(len(x[start : start + CHUNK]), -1)
        if is_picture(x):
            low, high = flat.min(axis=1), flat.max(axis=1)
            for row in np.flatnonzero((low < 0) | (high > 255)).tolist():
                wrong[start + row] = ItemError(
                    "bad_values",
                    f"values from {low[row]} to {high[row]}; pictures hold whole numbers in "
                    "[0, 255], rescale them or store them as floats",
                )
        elif x.dtype.kind == "f":
            with np.errstate(over="ignore"):
                is_bad = ~np.isfinite(flat.astype(np.float32)).all(axis=1)
            for row in np.flatnonzero(is_bad).tolist():
                wrong[start + row] = ItemError("not_finite", "it holds NaN or infinite values")
    return wrong


def in_common_type(x: Array) -> Array:
    """Return pictures as uint8 and all else as float32; every row has been looked at."""
    return x.astype(np.uint8 if is_picture(x) else np.float32, copy=False)
