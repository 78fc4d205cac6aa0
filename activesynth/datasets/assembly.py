"""From raw arrays to the common shape: ids by content, copies dropped, labels as numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from activesynth.domain.canonical import Array, content_id
from activesynth.domain.exchange import SourceData
from activesynth.domain.samples import UNLABELLED, SampleSet
from activesynth.errors import InputError


def assemble(
    x: Array, y: Array, classes: Sequence[str], *, groups: Array | None = None
) -> SourceData:
    """Name rows by their content, drop exact copies and order by id.

    The first copy is kept; if it has no label, it takes the label of a later copy.

    Args:
        x: Inputs, shape ``(n, ...)``.
        y: Labels, shape ``(n,)``, ``-1`` where unknown.
        classes: Names by label.
        groups: What no split may separate, shape ``(n,)``; each sample its own when None.

    Raises:
        InputError: ``empty`` if there is no row.
    """
    if not len(x):
        raise InputError(
            "`source.parameters.path`: there is not a single row in the data; nothing to learn.",
            reason="empty",
        )
    every_id = np.array([content_id(row) for row in x])
    ids, first, inverse = np.unique(every_id, return_index=True, return_inverse=True)
    labels = np.asarray(y, np.int64)
    kept = _first_known_label(labels, first, inverse)
    is_conflict = np.zeros(len(ids), bool)
    is_conflict[inverse[(labels != UNLABELLED) & (labels != kept[inverse])]] = True
    names = ids if groups is None else np.asarray(groups).astype(str)[first]
    samples = SampleSet(ids, x[first], kept, names)
    return SourceData(
        samples,
        tuple(classes),
        duplicates=len(every_id) - len(ids),
        conflicts=tuple(ids[is_conflict].tolist()),
    )


def _first_known_label(labels: Array, first: Array, inverse: Array) -> Array:
    known = np.flatnonzero(labels != UNLABELLED)[::-1]
    kept = labels[first]
    earliest = kept.copy()
    earliest[inverse[known]] = labels[known]  # written backwards: the earliest row stays
    return np.where(kept == UNLABELLED, earliest, kept)


def encode_labels(
    values: Sequence[Any], names: Sequence[str] | None = None
) -> tuple[Array, tuple[str, ...]]:
    """Turn labels of any kind into numbers, and say what the numbers are called.

    None, NaN, the empty text and ``-1`` mean unlabelled. With ``names``, numbers are positions in
    it and texts are members of it; without, numbers from 0 to 9999 keep their value and texts are
    numbered in alphabetical order.

    Raises:
        InputError: ``bad_label`` for a label that is no class.
    """
    cleaned = [_clean(value) for value in values]
    known = {value for value in cleaned if value is not None}
    if names is not None:
        table: dict[Any, int] = {name: code for code, name in enumerate(names)}
        table.update({code: code for code in range(len(names))})
    elif all(isinstance(value, int) for value in known):
        numbers = (value for value in known if isinstance(value, int))
        names = [str(code) for code in range(max(numbers, default=-1) + 1)]
        table = {code: code for code in range(len(names))}
    else:
        names = sorted(str(value) for value in known)
        table = {value: names.index(str(value)) for value in known}
    strange = sorted(str(value) for value in known if value not in table)
    if strange:
        raise InputError(
            f"labels {strange[:5]} are not among the classes {list(names)[:20]}; correct the "
            "labels or the list of class names.",
            reason="bad_label",
        )
    codes = [UNLABELLED if value is None else table[value] for value in cleaned]
    return np.array(codes, np.int64), tuple(names)


def _clean(value: Any) -> int | str | None:
    if value is None or value == "" or value != value or value == UNLABELLED:
        return None
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, str):
        return value
    if int(value) != value or not 0 <= value < 10_000:
        raise InputError(
            f"label {value!r} is no class; labels are texts or whole numbers from 0 to 9999 "
            "(only classification is supported).",
            reason="bad_label",
        )
    return int(value)


def as_inputs(x: Array) -> Array:
    """Bring an array to the common types: pictures uint8 with channels, all else float32.

    Three and four axes of whole numbers in ``[0, 255]`` are pictures; three axes get a channel.

    Raises:
        InputError: ``bad_values`` for values that no picture or table can have.
    """
    if x.dtype.kind not in "buif" or x.ndim < 2:
        raise InputError(
            f"the input array has type {x.dtype} and shape {x.shape}; it must hold numbers, one "
            "row per sample.",
            reason="bad_values",
        )
    if x.dtype.kind == "f" or x.ndim == 2:
        table = x.astype(np.float32)
        if not np.isfinite(table).all():
            raise InputError(
                "the input array holds NaN or infinite values; fill or drop those rows first.",
                reason="bad_values",
            )
        return table
    if x.size and (x.min() < 0 or x.max() > 255):
        raise InputError(
            f"pictures hold values from {x.min()} to {x.max()}; whole numbers must lie in "
            "[0, 255], rescale them or store them as floats.",
            reason="bad_values",
        )
    pictures = x.astype(np.uint8)
    return pictures[..., np.newaxis] if pictures.ndim == 3 else pictures
